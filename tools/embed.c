/* Writes kernel sources as C byte arrays (C promises string literals of 4,095 characters only), with a table
 * name -> bytes that src/device/kernels.h declares. */
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    printf("#include \"device/kernels.h\"\n");
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        int c, n = 0;

        if (!f) { perror(argv[i]); return 1; }
        printf("static const unsigned char file_%d[] = {", i);
        while ((c = fgetc(f)) != EOF) printf("%s%d,", n++ % 24 ? "" : "\n", c);
        printf("0};\n");
        fclose(f);
    }
    printf("const gs_kernel_file gs__kernel_files[] = {\n");
    for (int i = 1; i < argc; i++) {
        const char *name = strncmp(argv[i], "cl/", 3) ? argv[i] : argv[i] + 3;

        printf("    { \"%s\", (const char *)file_%d, sizeof file_%d - 1 },\n", name, i, i);
    }
    printf("    { 0, 0, 0 }\n};\n");
    return 0;
}
