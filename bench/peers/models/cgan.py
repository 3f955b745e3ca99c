"""The conditional GAN in PyTorch, profile by profile, and its training step: the peer of src/models/cgan.c.

Written from the descriptions of the originals: layers, names of the state, initialisation, losses, the order of updates and the
optimisers are theirs, so a state dict of either side loads into the other. Letters: B batch, NC classes, NZ noise values.
"""
import torch
import torch.nn.functional as F
from torch import nn

NC = 10
NZ = 100


def one_hot(y):
    return F.one_hot(y, NC).float() if y.dtype == torch.int64 else y


class Chain(nn.Module):
    """Linear, LReLU, dropout; then a last Linear alone. Names: fc1.0, fc2.0, ..., fc_out.0."""

    def __init__(self, widths, p):
        super().__init__()
        self.n = len(widths) - 2
        for i in range(self.n):
            setattr(self, f"fc{i + 1}", nn.Sequential(nn.Linear(widths[i], widths[i + 1]), nn.LeakyReLU(0.2), nn.Dropout(p)))
        self.fc_out = nn.Sequential(nn.Linear(widths[-2], widths[-1]))

    def forward(self, x):
        for i in range(self.n):
            x = getattr(self, f"fc{i + 1}")(x)
        return self.fc_out(x)


class ConcatG(Chain):
    def __init__(self):
        super().__init__([NZ + NC, 256, 512, 1200, 784], 0.5)

    def forward(self, z, y):
        return torch.tanh(super().forward(torch.cat([z, one_hot(y)], 1))).view(-1, 1, 28, 28)


class ConcatD(Chain):
    def __init__(self):
        super().__init__([784 + NC, 1024, 512, 256, 1], 0.3)

    def forward(self, x, y):
        return super().forward(torch.cat([x.flatten(1), one_hot(y)], 1))[:, 0]


class EmbedG(nn.Module):
    """Two branches, joined with z first; batch norm everywhere. `p`: dropout behind fc2 and fc3 (0.2, or 0 for zn_mlp)."""

    def __init__(self, p=0.2):
        super().__init__()
        self.fc1_1, self.fc1_1_bn = nn.Linear(NZ, 256), nn.BatchNorm1d(256)
        self.fc1_2, self.fc1_2_bn = nn.Linear(NC, 256), nn.BatchNorm1d(256)
        self.fc2, self.fc2_bn = nn.Linear(512, 512), nn.BatchNorm1d(512)
        self.fc3, self.fc3_bn = nn.Linear(512, 1024), nn.BatchNorm1d(1024)
        self.fc4 = nn.Linear(1024, 784)
        self.drop = nn.Dropout(p)

    def forward(self, z, y):
        h = torch.cat([F.relu(self.fc1_1_bn(self.fc1_1(z))), F.relu(self.fc1_2_bn(self.fc1_2(one_hot(y))))], 1)
        h = self.drop(F.relu(self.fc2_bn(self.fc2(h))))
        h = self.drop(F.relu(self.fc3_bn(self.fc3(h))))
        return torch.tanh(self.fc4(h)).view(-1, 1, 28, 28)


class EmbedD(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1_1, self.fc1_2 = nn.Linear(784, 1024), nn.Linear(NC, 1024)
        self.fc2, self.fc2_bn = nn.Linear(2048, 512), nn.BatchNorm1d(512)
        self.fc3, self.fc3_bn = nn.Linear(512, 256), nn.BatchNorm1d(256)
        self.fc4 = nn.Linear(256, 1)

    def forward(self, x, y):
        h = torch.cat([F.leaky_relu(self.fc1_1(x.flatten(1)), 0.2), F.leaky_relu(self.fc1_2(one_hot(y)), 0.2)], 1)
        h = F.leaky_relu(self.fc2_bn(self.fc2(h)), 0.2)
        h = F.leaky_relu(self.fc3_bn(self.fc3(h)), 0.2)
        return self.fc4(h)[:, 0]


class ConvG(nn.Module):
    def __init__(self):
        super().__init__()
        t, b = nn.ConvTranspose2d, nn.BatchNorm2d
        self.deconv1_1, self.deconv1_1_bn = t(NZ, 256, 4), b(256)
        self.deconv1_2, self.deconv1_2_bn = t(NC, 256, 4), b(256)
        self.deconv2, self.deconv2_bn = t(512, 256, 4, 2, 1), b(256)
        self.deconv3, self.deconv3_bn = t(256, 128, 4, 2, 1), b(128)
        self.deconv4 = t(128, 1, 4, 2, 1)

    def forward(self, z, y):
        e = one_hot(y).to(z.dtype)
        a = F.relu(self.deconv1_1_bn(self.deconv1_1(z[:, :, None, None])))      # B,256,4,4
        b = F.relu(self.deconv1_2_bn(self.deconv1_2(e[:, :, None, None])))
        h = F.relu(self.deconv2_bn(self.deconv2(torch.cat([a, b], 1))))         # B,256,8,8
        h = F.relu(self.deconv3_bn(self.deconv3(h)))                            # B,128,16,16
        return torch.tanh(self.deconv4(h))                                      # B,1,32,32


class ConvD(nn.Module):
    """The label enters as NC planes of 32 x 32, one of them all ones, as the original feeds it."""

    def __init__(self):
        super().__init__()
        c, b = nn.Conv2d, nn.BatchNorm2d
        self.conv1_1, self.conv1_2 = c(1, 64, 4, 2, 1), c(NC, 64, 4, 2, 1)
        self.conv2, self.conv2_bn = c(128, 256, 4, 2, 1), b(256)
        self.conv3, self.conv3_bn = c(256, 512, 4, 2, 1), b(512)
        self.conv4 = c(512, 1, 4)
        self.planes = torch.eye(NC)[:, :, None, None].repeat(1, 1, 32, 32)

    def forward(self, x, y):
        e = self.planes[y].to(x.dtype)
        h = torch.cat([F.leaky_relu(self.conv1_1(x), 0.2), F.leaky_relu(self.conv1_2(e), 0.2)], 1)     # B,128,16,16
        h = F.leaky_relu(self.conv2_bn(self.conv2(h)), 0.2)
        h = F.leaky_relu(self.conv3_bn(self.conv3(h)), 0.2)                                            # B,512,4,4
        return self.conv4(h).flatten()


class LnG(nn.Module):
    """Label embedding first, then noise; batch norm with 0.8 as its eps, as the original has it."""

    def __init__(self):
        super().__init__()
        self.label_emb = nn.Embedding(NC, NC)
        layers = [nn.Linear(NZ + NC, 128), nn.LeakyReLU(0.2)]
        for i, o in ((128, 256), (256, 512), (512, 1024)):
            layers += [nn.Linear(i, o), nn.BatchNorm1d(o, 0.8), nn.LeakyReLU(0.2)]
        self.model = nn.Sequential(*layers, nn.Linear(1024, 1024), nn.Tanh())

    def forward(self, z, y):
        return self.model(torch.cat([self.label_emb(y), z], 1)).view(-1, 1, 32, 32)


class LnD(nn.Module):
    def __init__(self):
        super().__init__()
        self.label_embedding = nn.Embedding(NC, NC)
        self.model = nn.Sequential(
            nn.Linear(NC + 1024, 512), nn.LeakyReLU(0.2), nn.Linear(512, 512), nn.Dropout(0.4), nn.LeakyReLU(0.2),
            nn.Linear(512, 512), nn.Dropout(0.4), nn.LeakyReLU(0.2), nn.Linear(512, 1))

    def forward(self, x, y):
        return self.model(torch.cat([x.flatten(1), self.label_embedding(y)], 1))[:, 0]


class PaperG(nn.Module):
    def __init__(self):
        super().__init__()
        self.hz, self.hy = nn.Linear(NZ, 200), nn.Linear(NC, 1000)
        self.h, self.out = nn.Linear(1200, 1200), nn.Linear(1200, 784)
        self.drop = nn.Dropout(0.5)

    def forward(self, z, y):
        a = self.drop(F.relu(self.hz(z)))
        b = self.drop(F.relu(self.hy(one_hot(y))))
        h = self.drop(F.relu(self.h(torch.cat([a, b], 1))))
        return torch.sigmoid(self.out(h)).view(-1, 1, 28, 28)


def maxout(x, pieces):
    return x.view(x.shape[0], -1, pieces).amax(2)


class PaperD(nn.Module):
    def __init__(self):
        super().__init__()
        self.mx, self.my = nn.Linear(784, 240 * 5), nn.Linear(NC, 50 * 5)
        self.mj, self.out = nn.Linear(290, 240 * 4), nn.Linear(240, 1)
        self.drop = nn.Dropout(0.5)

    def forward(self, x, y):
        a = self.drop(maxout(self.mx(x.flatten(1)), 5))
        b = self.drop(maxout(self.my(one_hot(y)), 5))
        return self.out(self.drop(maxout(self.mj(torch.cat([a, b], 1)), 4)))[:, 0]


# profile: G, D, side, batch, loss, factor of the discriminator's loss, order of updates, distribution of z
PROFILES = {
    "concat": (ConcatG, ConcatD, 28, 64, "bce", 0.5, "g_first_reuse", "normal"),
    "embed": (EmbedG, EmbedD, 28, 128, "bce", 0.5, "g_first_reuse", "normal"),
    "zn_mlp": (lambda: EmbedG(0.0), EmbedD, 28, 128, "bce", 1.0, "d_first_fresh", "uniform"),
    "cdcgan": (ConvG, ConvD, 32, 128, "bce", 1.0, "d_first_fresh", "normal"),
    "ln": (LnG, LnD, 32, 64, "mse", 0.5, "g_first_reuse", "normal"),
    "paper": (PaperG, PaperD, 28, 100, "bce", 1.0, "simultaneous", "uniform"),
}

# Trainable values of G and D, as the originals count them
COUNTS = {"concat": (1717184, 1470465), "embed": (1624336, 1997313), "zn_mlp": (1624336, 1997313), "ln": (1757412, 1055845),
          "paper": (2413984, 1224351)}


def initialise(net, profile, generator):
    """The originals' rules; `concat` and `ln` keep the framework's."""
    for name, p in net.named_parameters():
        if profile in ("embed", "zn_mlp", "cdcgan") and "_bn" not in name:
            nn.init.zeros_(p) if name.endswith("bias") else nn.init.normal_(p, 0.0, 0.02)
        if profile == "paper":
            a = 0.05 if generator else 0.005
            nn.init.zeros_(p) if name.endswith("bias") else nn.init.uniform_(p, -a, a)


class Training:
    """One profile: networks, optimisers and `step`, which performs one iteration of the original's loop on given pictures."""

    def __init__(self, profile, batch=None):
        make_g, make_d, self.side, default, self.kind, self.d_scale, self.order, self.z_dist = PROFILES[profile]
        self.batch = batch or default
        self.G, self.D = make_g(), make_d()
        initialise(self.G, profile, True)
        initialise(self.D, profile, False)
        if profile == "paper":
            self.opt_g, self.opt_d = (torch.optim.SGD(n.parameters(), 0.1, 0.5) for n in (self.G, self.D))
        else:
            self.opt_g, self.opt_d = (torch.optim.Adam(n.parameters(), 2e-4, (0.5, 0.999)) for n in (self.G, self.D))

    def feed(self):
        """Pictures B,1,S,S in [-1,1] and labels B, drawn once: reading data is not what is compared."""
        return torch.rand(self.batch, 1, self.side, self.side) * 2 - 1, torch.randint(0, NC, (self.batch,))

    def noise(self):
        draw = torch.randn if self.z_dist == "normal" else torch.rand
        return draw(self.batch, NZ), torch.randint(0, NC, (self.batch,))

    def loss(self, s, target):
        t = torch.full_like(s, target)
        return F.binary_cross_entropy_with_logits(s, t) if self.kind == "bce" else F.mse_loss(s, t)

    def g_loss(self, fake, y):
        return self.loss(self.D(fake, y), 1.0)

    def d_loss(self, real, y, fake, y_fake):
        return self.d_scale * (self.loss(self.D(real, y), 1.0) + self.loss(self.D(fake.detach(), y_fake), 0.0))

    def descend(self, optimiser, loss, keep=False):
        optimiser.zero_grad()
        loss.backward()
        if not keep:
            optimiser.step()

    def step(self, real, y):
        """Returns (loss of G, loss of D) as floats, as a loop that logs them does."""
        z, y_fake = self.noise()
        if self.order == "g_first_reuse":
            fake = self.G(z, y_fake)
            g = self.g_loss(fake, y_fake)
            self.descend(self.opt_g, g)
            d = self.d_loss(real, y, fake, y_fake)
            self.descend(self.opt_d, d)
        elif self.order == "d_first_fresh":
            with_own = self.G(z, y_fake)
            d = self.d_loss(real, y, with_own, y_fake)
            self.descend(self.opt_d, d)
            z, y_fake = self.noise()
            g = self.g_loss(self.G(z, y_fake), y_fake)
            self.descend(self.opt_g, g)
        else:
            fake = self.G(z, y_fake)
            g = self.g_loss(fake, y_fake)
            self.descend(self.opt_g, g, keep=True)
            d = self.d_loss(real, y, fake, y_fake)
            self.descend(self.opt_d, d)
            self.opt_g.step()
        return g.item(), d.item()
