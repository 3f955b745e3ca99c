/* The resolved configuration as INI, and the tables as Markdown. */
#include "train/config.h"
#include "train/config_int.h"

#include <string.h>

/* Sections in the order in which they first appear; keys of one section together, whichever table they come from. */
static bool first_of_section(const gs_config *c, int i)
{
    for (int k = 0; k < i; k++)
        if (strcmp(c->e[k].row->section, c->e[i].row->section) == 0) return false;
    return true;
}

void gs_config_write(const gs_config *c, gs_str *out)
{
    for (int i = 0; i < c->n; i++) {
        if (!first_of_section(c, i)) continue;
        gs_str_printf(out, "%s[%s]\n", out->len ? "\n" : "", c->e[i].row->section);
        for (int k = i; k < c->n; k++) {
            const gs_config_row *row = c->e[k].row;

            if (strcmp(row->section, c->e[i].row->section) != 0) continue;
            gs_str_printf(out, "# %s\n", row->help);
            if (c->e[k].text) gs_str_printf(out, "%s = %s\n", row->key, c->e[k].text);
            else gs_str_printf(out, "# %s =\n", row->key);
        }
    }
}

static void cell(gs_str *out, const char *text)
{
    for (; *text; text++) gs_str_printf(out, *text == '|' ? "\\|" : "%c", *text);
}

static void values_cell(gs_str *out, const gs_config_row *row)
{
    static const char *const kind[] = {
        [GS_CONFIG_BOOL] = "0 or 1", [GS_CONFIG_INT] = "whole number", [GS_CONFIG_REAL] = "number",
        [GS_CONFIG_TEXT] = "text", [GS_CONFIG_CHOICE] = "", [GS_CONFIG_INTS] = "whole numbers with commas",
        [GS_CONFIG_BYTES] = "a size such as `2GiB` or `512MiB`, `auto`, `off`",
    };
    char range[96];
    const char *word;
    int len;

    gs_str_printf(out, "%s", kind[row->type]);
    if (row->type == GS_CONFIG_CHOICE)
        for (int i = 0; (word = gs__config_word(row->choices, i, &len)); i++)
            gs_str_printf(out, "%s`%.*s`", i ? ", " : "", len, word);
    if (*gs__config_range(row, range)) gs_str_printf(out, ", %s", range);
}

void gs_config_markdown(const gs_config_table *tables, int n, gs_str *out)
{
    gs_str_printf(out, "# Configuration keys\n\nWritten by `make docs` from the tables in the source. A key stands under its "
                       "section in an INI file;\n`--set section.key=value` overrides it.\n");
    for (int t = 0; t < n; t++) {
        gs_str_printf(out, "\n## Keys of %s\n\n| section | key | default | values | meaning |\n|---|---|---|---|---|\n",
                      tables[t].title);
        for (int i = 0; i < tables[t].n; i++) {
            const gs_config_row *row = &tables[t].rows[i];

            gs_str_printf(out, "| `%s` | `%s` | ", row->section, row->key);
            if (!row->preset) gs_str_printf(out, "must be given");
            else if (!*row->preset) gs_str_printf(out, "empty");
            else gs_str_printf(out, "`%s`", row->preset);
            gs_str_printf(out, " | ");
            values_cell(out, row);
            gs_str_printf(out, " | ");
            cell(out, row->help);
            gs_str_printf(out, " |\n");
        }
    }
}
