/* Writes files as C byte arrays (C promises string literals of 4,095 characters only).
 *
 *   embed FILE...         kernel sources, with the table name -> bytes that src/device/kernels.h declares
 *   embed -t NAME FILE    one text: `const char NAME[]`, NUL-terminated */
#include <stdio.h>
#include <string.h>

/* The file's bytes and a final zero; false when it cannot be read. */
static int bytes(const char *path)
{
    FILE *f = fopen(path, "rb");
    int c, n = 0;

    if (!f) {
        perror(path);
        return 0;
    }
    while ((c = fgetc(f)) != EOF) printf("%s%d,", n++ % 24 ? "" : "\n", c);
    fclose(f);
    printf("0};\n");
    return 1;
}

static int text(const char *name, const char *path)
{
    printf("extern const char %s[];\nconst char %s[] = {", name, name);
    return bytes(path) ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "-t") == 0) return text(argv[2], argv[3]);
    printf("#include \"device/kernels.h\"\n");
    for (int i = 1; i < argc; i++) {
        printf("static const unsigned char file_%d[] = {", i);
        if (!bytes(argv[i])) return 1;
    }
    printf("const gs_kernel_file gs__kernel_files[] = {\n");
    for (int i = 1; i < argc; i++) {
        const char *name = strncmp(argv[i], "cl/", 3) ? argv[i] : argv[i] + 3;

        printf("    { \"%s\", (const char *)file_%d, sizeof file_%d - 1 },\n", name, i, i);
    }
    printf("    { 0, 0, 0 }\n};\n");
    return 0;
}
