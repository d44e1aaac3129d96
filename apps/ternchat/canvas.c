/* Cells know how wide they are, so that half of a wide character is never left standing.
 * SPDX-License-Identifier: MIT */
#include "ternchat/canvas.h"

#include <stdlib.h>
#include <string.h>

bool canvas_size(struct canvas *canvas, unsigned rows, unsigned columns)
{
    if (rows != canvas->rows || columns != canvas->columns || canvas->cells == NULL) {
        struct cell *cells = realloc(canvas->cells, ((size_t)rows * columns + 1) * sizeof *cells);
        if (cells == NULL) {
            return false;
        }
        canvas->cells = cells;
        canvas->rows = rows;
        canvas->columns = columns;
    }
    canvas_clear(canvas);
    return true;
}

void canvas_free(struct canvas *canvas)
{
    free(canvas->cells);
    *canvas = (struct canvas){0};
}

static struct cell *cell_at(struct canvas *canvas, unsigned row, unsigned column)
{
    return &canvas->cells[(size_t)row * canvas->columns + column];
}

static void blank(struct cell *cell, enum style style)
{
    cell->text[0] = ' ';
    cell->text[1] = '\0';
    cell->columns = 1;
    cell->style = (uint8_t)style;
}

void canvas_clear(struct canvas *canvas)
{
    for (size_t i = 0; canvas->cells != NULL && i < (size_t)canvas->rows * canvas->columns; i++) {
        blank(&canvas->cells[i], STYLE_TEXT);
    }
}

void canvas_fill(struct canvas *canvas, unsigned row, unsigned column, unsigned end,
                 enum style style)
{
    for (; row < canvas->rows && column < end && column < canvas->columns; column++) {
        blank(cell_at(canvas, row, column), style);
    }
}

unsigned canvas_put(struct canvas *canvas, unsigned row, unsigned column, unsigned end,
                    enum style style, const char *text, size_t len)
{
    end = end < canvas->columns ? end : canvas->columns;
    for (size_t at = 0, n; row < canvas->rows && at < len; at += n) {
        unsigned wide;
        n = text_next(text + at, len - at, &wide);
        if (column + wide > end) {
            break;
        }
        struct cell *cell = cell_at(canvas, row, column);
        size_t kept = n <= TEXT_CHARACTER ? n : 1;
        memcpy(cell->text, text[at] == '\n' ? " " : text + at, kept);
        cell->text[kept] = '\0';
        cell->columns = (uint8_t)wide;
        cell->style = (uint8_t)style;
        if (wide == 2) {
            blank(cell + 1, style);
            cell[1].columns = 0;
        }
        column += wide;
    }
    return column;
}

unsigned canvas_say(struct canvas *canvas, unsigned row, unsigned column, unsigned end,
                    enum style style, const char *text)
{
    return canvas_put(canvas, row, column, end, style, text, strlen(text));
}

void canvas_row(const struct canvas *canvas, unsigned row, char *out)
{
    for (unsigned i = 0; i < canvas->columns; i++) {
        const struct cell *cell = &canvas->cells[(size_t)row * canvas->columns + i];
        size_t len = cell->columns == 0 ? 0 : strlen(cell->text);
        memcpy(out, cell->text, len);
        out += len;
    }
    *out = '\0';
}
