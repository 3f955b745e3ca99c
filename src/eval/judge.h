/* Inception-v3 as a judge of pictures: weights from a file that the user has, and the 2048 features of any number of
 * pictures.
 *
 * Pictures are 8-bit RGB; they are resized to 299 x 299 on bytes as PIL's bilinear does it, and become x / 127.5 - 1.
 * That is what the weights of 2015 want, and what torchvision's want once its own transforms (ImageNet's means, then
 * transform_input) have cancelled. */
#ifndef GS_EVAL_JUDGE_H
#define GS_EVAL_JUDGE_H

#include "data/image.h"
#include "eval/classifier.h"
#include "io/safetensors.h"
#include "models/inception.h"

/* ---- weights ---- */

typedef struct gs_inception_weights {
    gs_st_file *file;
    /* told by the file: 1008 rows of fc are the graph of 2015, else torchvision's; aux when its head is there */
    gs_inception_opts o;
    int tensors;         /* that the network takes */
    int64_t parameters;
} gs_inception_weights;

/* A state dict as safetensors: keys as torchvision's, also behind "module."; any float type; num_batches_tracked is
 * passed over. Every tensor is checked. GS_EFORMAT names what is missing, unknown, of another shape or not finite;
 * GS_EIO. */
gs_status gs_inception_weights_open(const char *path, gs_inception_weights *out);
void gs_inception_weights_close(gs_inception_weights *w);
/* The tensor of a parameter or statistic by torchvision's key, or NULL. */
const gs_st_tensor *gs_inception_weights_find(const gs_inception_weights *w, const char *key);
/* Writes the tensors that the network takes, as fp32 under their plain keys. */
gs_status gs_inception_weights_save(const gs_inception_weights *w, const char *path);
const char *gs_inception_graph_name(gs_inception_graph graph); /* "tv", "fid2015" */
/* How one comes by weights, in a few lines; for messages. */
const char *gs_inception_advice(void);

/* ---- features ---- */

typedef struct gs_features { /* zero value: none; free(v) */
    float *v; /* (n,2048) */
    int n, cap;
    bool cached; /* came from the cache */
} gs_features;

typedef struct gs_judge gs_judge;

/* The device must outlive it. Errors: those of the weights, what the device reports. */
gs_status gs_judge_new(gs_device *d, const char *weights, gs_judge **out);
void gs_judge_free(gs_judge *j); /* accepts NULL */
const gs_inception_opts *gs_judge_opts(const gs_judge *j);
uint32_t gs_judge_crc(const gs_judge *j); /* of the weights' file */

/* Adds the features of a picture (3 channels) to f; they are there after gs_judge_flush at the latest, in the order
 * of the calls. Between two flushes f must stay the same. GS_ENUMERIC: features that are not finite. */
gs_status gs_judge_add(gs_judge *j, const gs_image *img, gs_features *f);
gs_status gs_judge_flush(gs_judge *j, gs_features *f);

/* The features of picture files, in their order. They are kept under gs_cache_dir()/features, in a file named after
 * the weights, this recipe and `key`, a hash of the files' contents; a damaged one counts as missing. no_cache:
 * neither read nor written. progress (may be NULL) is told `title` with count and time left. */
gs_status gs_judge_files(gs_judge *j, char *const *paths, int n, uint64_t key, bool no_cache, const char *title,
                         gs_eval_progress_fn *progress, void *user, gs_features *f);

#endif
