"""U-GAT-IT in PyTorch, light and full, and the training step of the original PyTorch program: the peer of src/models/ugatit.c.

Written from a description of the original: layers, names of the state, losses, order and optimisers are its own. `Training(waste=True)` does
what that program does, its waste included, because that is what people run: translations for the discriminators' step
are not cut off, the generators run again for theirs, and the discriminators' gradients of the generators' step are computed and thrown away. waste=False
gives the same losses and weights with 24 % less arithmetic. Letters: S side of the pictures, C base width.
"""
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import spectral_norm

WEIGHTS = {"adv": 1.0, "cycle": 10.0, "identity": 10.0, "cam": 1000.0}


def conv(i, o, k, s=1, bias=False):
    return nn.Conv2d(i, o, k, s, 0, bias=bias)


class ResBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv_block = nn.Sequential(nn.ReflectionPad2d(1), conv(c, c, 3), nn.InstanceNorm2d(c), nn.ReLU(True),
                                        nn.ReflectionPad2d(1), conv(c, c, 3), nn.InstanceNorm2d(c))

    def forward(self, x):
        return x + self.conv_block(x)


def mixed_norm(x, rho, eps):
    """rho * instance norm + (1 - rho) * layer norm, unbiased variances as the original has them."""
    mean_i, var_i = torch.mean(x, (2, 3), keepdim=True), torch.var(x, (2, 3), keepdim=True)
    mean_l, var_l = torch.mean(x, (1, 2, 3), keepdim=True), torch.var(x, (1, 2, 3), keepdim=True)
    by_instance = (x - mean_i) / torch.sqrt(var_i + eps)
    by_layer = (x - mean_l) / torch.sqrt(var_l + eps)
    return rho * by_instance + (1 - rho) * by_layer


class AdaLIN(nn.Module):
    def __init__(self, c, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.rho = nn.Parameter(torch.full((1, c, 1, 1), 0.9))

    def forward(self, x, gamma, beta):
        return mixed_norm(x, self.rho, self.eps) * gamma[:, :, None, None] + beta[:, :, None, None]


class ILN(nn.Module):
    def __init__(self, c, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.rho = nn.Parameter(torch.zeros(1, c, 1, 1))
        self.gamma = nn.Parameter(torch.ones(1, c, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, c, 1, 1))

    def forward(self, x):
        return mixed_norm(x, self.rho, self.eps) * self.gamma + self.beta


class AdaResBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.pad = nn.ReflectionPad2d(1)
        self.conv1, self.norm1 = conv(c, c, 3), AdaLIN(c)
        self.conv2, self.norm2 = conv(c, c, 3), AdaLIN(c)

    def forward(self, x, gamma, beta):
        h = F.relu(self.norm1(self.conv1(self.pad(x)), gamma, beta))
        return x + self.norm2(self.conv2(self.pad(h)), gamma, beta)


def attend(x, gap_fc, gmp_fc, gap_row, gmp_row):
    """Logits of the two pooled heads, B,2, and the maps weighted by their rows, B,2C,H,W."""
    gap = gap_fc(F.adaptive_avg_pool2d(x, 1).flatten(1))
    gmp = gmp_fc(F.adaptive_max_pool2d(x, 1).flatten(1))
    maps = torch.cat([x * gap_row[:, :, None, None], x * gmp_row[:, :, None, None]], 1)
    return torch.cat([gap, gmp], 1), maps


class Generator(nn.Module):
    def __init__(self, size=256, ch=64, n_res=4, light=True):
        super().__init__()
        c, self.light, self.n_res = 4 * ch, light, n_res
        down = [nn.ReflectionPad2d(3), conv(3, ch, 7), nn.InstanceNorm2d(ch), nn.ReLU(True)]
        for w in (ch, 2 * ch):
            down += [nn.ReflectionPad2d(1), conv(w, 2 * w, 3, 2), nn.InstanceNorm2d(2 * w), nn.ReLU(True)]
        self.DownBlock = nn.Sequential(*down, *(ResBlock(c) for _ in range(n_res)))
        self.gap_fc, self.gmp_fc = nn.Linear(c, 1, bias=False), nn.Linear(c, 1, bias=False)
        self.conv1x1 = nn.Conv2d(2 * c, c, 1)
        self.FC = nn.Sequential(nn.Linear(c if light else (size // 4) ** 2 * c, c, bias=False), nn.ReLU(True),
                                nn.Linear(c, c, bias=False), nn.ReLU(True))
        self.gamma, self.beta = nn.Linear(c, c, bias=False), nn.Linear(c, c, bias=False)
        for i in range(n_res):
            setattr(self, f"UpBlock1_{i + 1}", AdaResBlock(c))
        up = []
        for w in (c, c // 2):
            up += [nn.Upsample(scale_factor=2, mode="nearest"), nn.ReflectionPad2d(1), conv(w, w // 2, 3), ILN(w // 2), nn.ReLU(True)]
        self.UpBlock2 = nn.Sequential(*up, nn.ReflectionPad2d(3), conv(ch, 3, 7), nn.Tanh())

    def forward(self, x):
        """Picture B,3,S,S; logits of the attention B,2; heat map B,1,S/4,S/4."""
        x = self.DownBlock(x)
        cam, maps = attend(x, self.gap_fc, self.gmp_fc, self.gap_fc.weight, self.gmp_fc.weight)
        x = F.relu(self.conv1x1(maps))
        heat = x.sum(1, keepdim=True)
        h = self.FC(F.adaptive_avg_pool2d(x, 1).flatten(1) if self.light else x.flatten(1))
        gamma, beta = self.gamma(h), self.beta(h)
        for i in range(self.n_res):
            x = getattr(self, f"UpBlock1_{i + 1}")(x, gamma, beta)
        return self.UpBlock2(x), cam, heat


class Discriminator(nn.Module):
    """7 layers: global; 5: local. The maps are weighted by the raw rows, not by the normalised ones, as the original does it."""

    def __init__(self, ch=64, layers=7):
        super().__init__()
        model, i = [], 3
        for k in range(layers - 1):
            o, stride = (ch << k), 1 if k == layers - 2 else 2
            model += [nn.ReflectionPad2d(1), spectral_norm(conv(i, o, 4, stride, bias=True)), nn.LeakyReLU(0.2, True)]
            i = o
        self.model = nn.Sequential(*model)
        self.gap_fc = spectral_norm(nn.Linear(i, 1, bias=False))
        self.gmp_fc = spectral_norm(nn.Linear(i, 1, bias=False))
        self.conv1x1 = nn.Conv2d(2 * i, i, 1)
        self.pad = nn.ReflectionPad2d(1)
        self.conv = spectral_norm(conv(i, 1, 4))

    def forward(self, x):
        x = self.model(x)
        cam, maps = attend(x, self.gap_fc, self.gmp_fc, self.gap_fc.weight_orig, self.gmp_fc.weight_orig)
        x = F.leaky_relu(self.conv1x1(maps), 0.2)
        return self.conv(self.pad(x)), cam, x.sum(1, keepdim=True)


# Trainable values at S 256, ch 64: generator light, full; discriminator global, local
COUNTS = (10589888, 278959808, 53130176, 3290560)


def mse(x, target):
    return F.mse_loss(x, torch.full_like(x, target))


def bce(x, target):
    return F.binary_cross_entropy_with_logits(x, torch.full_like(x, target))


class Training:
    """Six networks, two optimisers, and `step`: one iteration of the original's loop on a pair of pictures."""

    NAMES = ("genA2B", "genB2A", "disGA", "disGB", "disLA", "disLB")

    def __init__(self, size=256, ch=64, n_res=4, light=True, waste=True):
        self.size, self.waste, self.batch = size, waste, 1
        self.genA2B, self.genB2A = (Generator(size, ch, n_res, light) for _ in range(2))
        self.disGA, self.disGB = Discriminator(ch, 7), Discriminator(ch, 7)
        self.disLA, self.disLB = Discriminator(ch, 5), Discriminator(ch, 5)
        parameters = lambda *nets: [p for n in nets for p in n.parameters()]
        adam = lambda p: torch.optim.Adam(p, 1e-4, (0.5, 0.999), weight_decay=1e-4)
        self.of_g = parameters(self.genA2B, self.genB2A)
        self.of_d = parameters(self.disGA, self.disGB, self.disLA, self.disLB)
        self.opt_g, self.opt_d = adam(self.of_g), adam(self.of_d)

    def feed(self):
        """A pair of pictures, drawn once: reading data is not what is compared."""
        return tuple(torch.rand(1, 3, self.size, self.size) * 2 - 1 for _ in range(2))

    def d_loss(self, a, b, fake_a, fake_b):
        real = [d(x) for d, x in ((self.disGA, a), (self.disLA, a), (self.disGB, b), (self.disLB, b))]
        fake = [d(x) for d, x in ((self.disGA, fake_a), (self.disLA, fake_a), (self.disGB, fake_b), (self.disLB, fake_b))]
        return WEIGHTS["adv"] * sum(mse(r[0], 1.0) + mse(r[1], 1.0) + mse(f[0], 0.0) + mse(f[1], 0.0) for r, f in zip(real, fake))

    def g_loss(self, a, b, to_b, to_a):
        """to_b, to_a: what genA2B makes of a and genB2A of b."""
        back_a, back_b = self.genB2A(to_b[0]), self.genA2B(to_a[0])
        same_a, same_b = self.genB2A(a), self.genA2B(b)
        judged = [d(x[0]) for d, x in ((self.disGA, to_a), (self.disLA, to_a), (self.disGB, to_b), (self.disLB, to_b))]
        adv = sum(mse(j[0], 1.0) + mse(j[1], 1.0) for j in judged)
        cycle = F.l1_loss(back_a[0], a) + F.l1_loss(back_b[0], b)
        identity = F.l1_loss(same_a[0], a) + F.l1_loss(same_b[0], b)
        cam = bce(to_a[1], 1.0) + bce(same_a[1], 0.0) + bce(to_b[1], 1.0) + bce(same_b[1], 0.0)
        w = WEIGHTS
        return w["adv"] * adv + w["cycle"] * cycle + w["identity"] * identity + w["cam"] * cam

    def clip(self):
        with torch.no_grad():
            for net in (self.genA2B, self.genB2A):
                for m in net.modules():
                    if isinstance(m, (AdaLIN, ILN)):
                        m.rho.clamp_(0, 1)

    def step(self, a, b):
        """Returns (loss of the generators, loss of the discriminators) as floats."""
        self.opt_d.zero_grad()
        to_b, to_a = self.genA2B(a), self.genB2A(b)
        cut = (lambda x: x) if self.waste else torch.Tensor.detach
        d = self.d_loss(a, b, cut(to_a[0]), cut(to_b[0]))
        d.backward()
        self.opt_d.step()
        self.opt_g.zero_grad()
        if self.waste:
            to_b, to_a = self.genA2B(a), self.genB2A(b)
        else:
            for p in self.of_d:
                p.requires_grad_(False)
        g = self.g_loss(a, b, to_b, to_a)
        g.backward()
        self.opt_g.step()
        self.clip()
        for p in self.of_d:
            p.requires_grad_(True)
        return g.item(), d.item()
