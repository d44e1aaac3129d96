/* ncurses compares each frame with the one before and writes what differs. A crash takes the short way out:
 * a handler that writes a string made beforehand and sets the terminal's modes back, nothing else.
 *
 * ncurses writes in small pieces, of which a terminal may show the half. So it writes into a file in memory,
 * and each frame goes out from there in one write. The terminal's modes are ours to set, then.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#define NCURSES_WIDECHAR 1
#include "ternchat/screen.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "shared/term.h"

#define PASTE_ON  "\033[?2004h" /* xterm's bracketed paste, which others have taken over */
#define PASTE_OFF "\033[?2004l"
#define ESC_WAIT  25 /* ms after which Esc is a key of its own */

/* A signal handler needs them, so they are global: of the terminal there is one. */
static struct {
    volatile sig_atomic_t is_open;
    bool has_color;
    SCREEN *terminal;
    FILE *pieces; /* what ncurses has written of this frame */
    char *frame;
    size_t frame_room;
    struct termios found;
    char reset[256];
    size_t reset_len;
    int captured[2], saved_error; /* standard error, while it is ours; -1 */
} screen = {.captured = {-1, -1}, .saved_error = -1};

/* --- crashes ----------------------------------------------------------------------------------------- */

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT, SIGSYS, SIGTRAP};
#define CRASHES (sizeof crashes / sizeof crashes[0])
static struct sigaction crash_before[CRASHES];

/* Calls only what signal-safety(7) allows. */
static void put_back(void)
{
    if (screen.is_open) {
        screen.is_open = 0;
        (void)!write(STDOUT_FILENO, screen.reset, screen.reset_len);
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &screen.found);
    }
    if (screen.saved_error >= 0) {
        (void)dup2(screen.saved_error, STDERR_FILENO);
    }
}

static void on_crash(int number, siginfo_t *info, void *context)
{
    (void)context;
    put_back();
    for (size_t i = 0; i < CRASHES; i++) {
        (void)sigaction(crashes[i], &crash_before[i], NULL);
    }
    if (info->si_code <=
        0) { /* somebody sent it; else the same fault comes again, to the old handler */
        (void)raise(number);
    }
}

static void catch_crashes(void)
{
    static char stack[64 * 1024]; /* a stack that has run over has no room for a handler */
    stack_t now, ours = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    action.sa_sigaction = on_crash;
    (void)sigemptyset(&action.sa_mask);
    if (sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE) != 0) {
        (void)sigaltstack(&ours, NULL);
    }
    for (size_t i = 0; i < CRASHES; i++) {
        (void)sigaction(crashes[i], &action, &crash_before[i]);
    }
}

/* Without the padding "$<...>" that terminals of paper wanted. */
static void collect(const char *text)
{
    while (*text != '\0' && screen.reset_len < sizeof screen.reset) {
        if (text[0] == '$' && text[1] == '<' && strchr(text, '>') != NULL) {
            text = strchr(text, '>') + 1;
        } else {
            screen.reset[screen.reset_len++] = *text++;
        }
    }
}

/* What ends everything that we switch on. */
static void make_reset(void)
{
    static const char *const names[] = {"sgr0", "rmkx", "cnorm", "rmcup"};
    char name[8];
    screen.reset_len = 0;
    collect(PASTE_OFF);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        memcpy(name, names[i], strlen(names[i]) + 1);
        const char *value = tigetstr(name);
        if (value != NULL && (intptr_t)value != -1) {
            collect(value);
        }
    }
}

/* --- standard error ---------------------------------------------------------------------------------- */

int screen_capture(void)
{
    if (!term_is_tty(STDERR_FILENO) || pipe2(screen.captured, O_CLOEXEC | O_NONBLOCK) != 0) {
        return -1;
    }
    screen.saved_error = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (screen.saved_error < 0 || dup2(screen.captured[1], STDERR_FILENO) < 0) {
        screen_release();
        return -1;
    }
    return screen.captured[0];
}

void screen_release(void)
{
    char rest[512];
    ssize_t n;
    if (screen.saved_error >= 0) {
        (void)dup2(screen.saved_error, STDERR_FILENO);
        (void)close(screen.saved_error);
        screen.saved_error = -1;
        while ((n = read(screen.captured[0], rest, sizeof rest)) > 0) {
            (void)!write(STDERR_FILENO, rest, (size_t)n);
        }
    }
    for (size_t i = 0; i < 2; i++) {
        if (screen.captured[i] >= 0) {
            (void)close(screen.captured[i]);
            screen.captured[i] = -1;
        }
    }
}

/* --- open and close ---------------------------------------------------------------------------------- */

bool screen_is_possible(void)
{
    const char *name = getenv("TERM");
    return term_is_tty(STDIN_FILENO) && term_is_tty(STDOUT_FILENO) && name != NULL &&
           name[0] != '\0' && strcmp(name, "dumb") != 0;
}

void screen_set_locale(void)
{
    (void)setlocale(LC_ALL, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) {
        (void)setlocale(LC_CTYPE, "C.UTF-8"); /* an unset locale says nothing of the terminal */
    }
}

/* Colours are those of the terminal; -1 is its own. */
struct look {
    short front, back;
    attr_t more;
};

static const struct look themes[][STYLE_COUNT] = {
    [SCREEN_DARK] = {[STYLE_TEXT] = {-1, -1, 0},
                     [STYLE_NOTE] = {COLOR_CYAN, -1, 0},
                     [STYLE_TIME] = {-1, -1, A_DIM},
                     [STYLE_OWN] = {COLOR_WHITE, -1, A_BOLD},
                     [STYLE_WAITING] = {-1, -1, A_DIM},
                     [STYLE_MENTION] = {COLOR_YELLOW, -1, A_BOLD},
                     [STYLE_MATCH] = {COLOR_BLACK, COLOR_YELLOW, 0},
                     [STYLE_MARK] = {COLOR_RED, -1, 0},
                     [STYLE_BAR] = {COLOR_WHITE, COLOR_BLUE, 0},
                     [STYLE_BAR_HERE] = {COLOR_BLACK, COLOR_WHITE, 0},
                     [STYLE_BAR_UNREAD] = {COLOR_WHITE, COLOR_BLUE, A_BOLD},
                     [STYLE_BAR_MENTION] = {COLOR_YELLOW, COLOR_BLUE, A_BOLD},
                     [STYLE_STATUS] = {COLOR_WHITE, COLOR_BLUE, 0},
                     [STYLE_STATUS_GOOD] = {COLOR_WHITE, COLOR_BLUE, 0},
                     [STYLE_STATUS_BAD] = {COLOR_WHITE, COLOR_RED, A_BOLD},
                     [STYLE_PROMPT] = {COLOR_GREEN, -1, 0},
                     [STYLE_AWAY] = {-1, -1, A_DIM},
                     [STYLE_NICK] = {COLOR_RED, -1, 0},
                     [STYLE_NICK + 1] = {COLOR_GREEN, -1, 0},
                     [STYLE_NICK + 2] = {COLOR_BLUE, -1, A_BOLD},
                     [STYLE_NICK + 3] = {COLOR_MAGENTA, -1, 0},
                     [STYLE_NICK + 4] = {COLOR_CYAN, -1, A_BOLD},
                     [STYLE_NICK + 5] = {COLOR_GREEN, -1, A_BOLD}},
    [SCREEN_LIGHT] = {[STYLE_TEXT] = {-1, -1, 0},
                      [STYLE_NOTE] = {COLOR_BLUE, -1, 0},
                      [STYLE_TIME] = {-1, -1, A_DIM},
                      [STYLE_OWN] = {COLOR_BLACK, -1, A_BOLD},
                      [STYLE_WAITING] = {-1, -1, A_DIM},
                      [STYLE_MENTION] = {COLOR_RED, -1, A_BOLD},
                      [STYLE_MATCH] = {COLOR_BLACK, COLOR_YELLOW, 0},
                      [STYLE_MARK] = {COLOR_RED, -1, 0},
                      [STYLE_BAR] = {COLOR_BLACK, COLOR_CYAN, 0},
                      [STYLE_BAR_HERE] = {COLOR_WHITE, COLOR_BLACK, 0},
                      [STYLE_BAR_UNREAD] = {COLOR_BLACK, COLOR_CYAN, A_BOLD},
                      [STYLE_BAR_MENTION] = {COLOR_RED, COLOR_CYAN, A_BOLD},
                      [STYLE_STATUS] = {COLOR_BLACK, COLOR_CYAN, 0},
                      [STYLE_STATUS_GOOD] = {COLOR_BLACK, COLOR_CYAN, 0},
                      [STYLE_STATUS_BAD] = {COLOR_WHITE, COLOR_RED, A_BOLD},
                      [STYLE_PROMPT] = {COLOR_BLUE, -1, 0},
                      [STYLE_AWAY] = {-1, -1, A_DIM},
                      [STYLE_NICK] = {COLOR_RED, -1, 0},
                      [STYLE_NICK + 1] = {COLOR_GREEN, -1, 0},
                      [STYLE_NICK + 2] = {COLOR_BLUE, -1, 0},
                      [STYLE_NICK + 3] = {COLOR_MAGENTA, -1, 0},
                      [STYLE_NICK + 4] = {COLOR_CYAN, -1, 0},
                      [STYLE_NICK + 5] = {COLOR_BLUE, -1, A_BOLD}},
    [SCREEN_MONO] = {[STYLE_NOTE] = {-1, -1, A_DIM},
                     [STYLE_TIME] = {-1, -1, A_DIM},
                     [STYLE_OWN] = {-1, -1, A_BOLD},
                     [STYLE_WAITING] = {-1, -1, A_DIM},
                     [STYLE_MENTION] = {-1, -1, A_BOLD},
                     [STYLE_MATCH] = {-1, -1, A_REVERSE},
                     [STYLE_BAR] = {-1, -1, A_REVERSE},
                     [STYLE_BAR_HERE] = {-1, -1, A_BOLD},
                     [STYLE_BAR_UNREAD] = {-1, -1, A_REVERSE | A_BOLD},
                     [STYLE_BAR_MENTION] = {-1, -1, A_REVERSE | A_BOLD | A_UNDERLINE},
                     [STYLE_STATUS] = {-1, -1, A_REVERSE},
                     [STYLE_STATUS_GOOD] = {-1, -1, A_REVERSE},
                     [STYLE_STATUS_BAD] = {-1, -1, A_BOLD},
                     [STYLE_PROMPT] = {-1, -1, A_BOLD},
                     [STYLE_AWAY] = {-1, -1, A_DIM}},
};
static const struct look *looks = themes[SCREEN_DARK];

void screen_set_theme(enum screen_theme theme)
{
    looks = themes[screen.has_color ? theme : SCREEN_MONO];
    for (short i = 0; theme != SCREEN_MONO && screen.has_color && i < STYLE_COUNT; i++) {
        (void)init_pair((short)(i + 1), looks[i].front, looks[i].back);
    }
}

/* Keys that terminfo has no names for. */
enum {
    OWN_PASTE_BEGIN = KEY_MAX + 1,
    OWN_PASTE_END,
    OWN_WORD_LEFT,
    OWN_WORD_RIGHT,
    OWN_ALT_LEFT,
    OWN_ALT_RIGHT
};

static void name_keys(void)
{
    (void)define_key("\033[200~", OWN_PASTE_BEGIN);
    (void)define_key("\033[201~", OWN_PASTE_END);
    (void)define_key("\033[1;5D", OWN_WORD_LEFT);
    (void)define_key("\033[1;5C", OWN_WORD_RIGHT);
    (void)define_key("\033[1;3D", OWN_ALT_LEFT);
    (void)define_key("\033[1;3C", OWN_ALT_RIGHT);
}

static void write_all(const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, data, len);
        if (n < 0 && errno != EINTR) {
            return; /* the terminal is gone: the keys will tell */
        }
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

/* Passes on what ncurses has written. */
static void write_frame(void)
{
    int fd = fileno(screen.pieces);
    (void)fflush(screen.pieces);
    off_t end = lseek(fd, 0, SEEK_END);
    size_t len = end > 0 ? (size_t)end : 0;
    if (len > screen.frame_room) {
        char *frame = realloc(screen.frame, 2 * len);
        if (frame == NULL) {
            return; /* it goes with the next one */
        }
        screen.frame = frame;
        screen.frame_room = 2 * len;
    }
    ssize_t n = len == 0 ? 0 : pread(fd, screen.frame, len, 0);
    (void)!ftruncate(fd, 0);
    (void)lseek(fd, 0, SEEK_SET);
    write_all(screen.frame, n > 0 ? (size_t)n : 0);
}

static void set_paste(const char *sequence)
{
    write_all(sequence, strlen(sequence));
}

/* Each key as it is hit, and none for the kernel. */
static void set_modes(void)
{
    struct termios ours = screen.found;
    ours.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IGNCR | IXON | ISTRIP | PARMRK | BRKINT);
    ours.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    ours.c_cc[VMIN] = 1;
    ours.c_cc[VTIME] = 0;
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &ours);
}

/* Modes as they were found, on the screen that was there before. */
static void leave(void)
{
    set_paste(PASTE_OFF);
    (void)endwin();
    write_frame();
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &screen.found);
}

static FILE *open_pieces(void)
{
#ifdef MFD_CLOEXEC
    int fd = memfd_create("ternchat", MFD_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w+");
    if (file != NULL) {
        return file;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
#endif
    return tmpfile();
}

bool screen_open(enum screen_theme theme)
{
    if (tcgetattr(STDIN_FILENO, &screen.found) != 0) {
        return false;
    }
    screen.pieces = open_pieces();
    screen.terminal = screen.pieces == NULL ? NULL : newterm(NULL, screen.pieces, stdin);
    if (screen.terminal == NULL) {
        return false;
    }
    make_reset();
    catch_crashes();
    screen.is_open = 1;
    (void)atexit(screen_close);
    set_modes();
    (void)raw(); /* for ncurses to know */
    (void)noecho();
    (void)nonl();
    (void)set_escdelay(ESC_WAIT);
    (void)keypad(stdscr, TRUE);
    (void)nodelay(stdscr, TRUE);
    (void)meta(stdscr, TRUE);
    screen.has_color = has_colors();
    if (screen.has_color) {
        (void)start_color();
        (void)use_default_colors();
    }
    screen_set_theme(theme);
    name_keys();
    set_paste(PASTE_ON);
    return true;
}

void screen_close(void)
{
    if (!screen.is_open) {
        return;
    }
    leave();
    screen.is_open = 0;
    delscreen(screen.terminal);
    (void)fclose(screen.pieces);
    free(screen.frame);
    screen.frame = NULL;
    screen.frame_room = 0;
    for (size_t i = 0; i < CRASHES; i++) {
        (void)sigaction(crashes[i], &crash_before[i], NULL);
    }
}

void screen_suspend(void)
{
    struct sigaction usual = {.sa_handler = SIG_DFL}, before;
    leave();
    (void)sigaction(SIGTSTP, &usual, &before);
    (void)raise(SIGTSTP);
    (void)sigaction(SIGTSTP, &before, NULL);
    set_modes();
    set_paste(PASTE_ON);
    screen_redraw();
}

/* --- frames ------------------------------------------------------------------------------------------ */

void screen_size(unsigned *rows, unsigned *columns)
{
    struct winsize size;
    *rows = 24;
    *columns = 80;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
        *rows = size.ws_row;
        *columns = size.ws_col;
    }
    if (is_term_resized((int)*rows, (int)*columns)) {
        (void)resizeterm((int)*rows, (int)*columns);
    }
}

/* Puts a cell; a width that ncurses sees otherwise would shift the whole row, so that is replaced. */
static void put_cell(const struct cell *cell, int y, int x)
{
    wchar_t wide[1 + TEXT_MARKS + 1] = {0};
    const struct look *look = &looks[cell->style];
    short pair = looks == themes[SCREEN_MONO] ? 0 : (short)(cell->style + 1);
    size_t len = strlen(cell->text), n, count = 0;
    cchar_t out;
    for (size_t at = 0; at < len && count <= TEXT_MARKS; at += n) {
        wide[count++] = (wchar_t)text_code(cell->text + at, len - at, &n);
    }
    if (setcchar(&out, wide, look->more, pair, NULL) == OK) {
        (void)mvadd_wch(y, x, &out);
    }
}

void screen_show(const struct canvas *canvas, unsigned cursor_row, unsigned cursor_column)
{
    (void)erase();
    for (unsigned y = 0; y < canvas->rows; y++) {
        for (unsigned x = 0; x < canvas->columns; x++) {
            const struct cell *cell = &canvas->cells[(size_t)y * canvas->columns + x];
            if (cell->columns > 0 && (cell->text[0] != ' ' || cell->style != STYLE_TEXT)) {
                put_cell(cell, (int)y, (int)x);
            }
        }
    }
    (void)move((int)cursor_row, (int)cursor_column);
    (void)wnoutrefresh(stdscr);
    (void)doupdate();
    write_frame();
}

void screen_redraw(void)
{
    (void)clearok(curscr, TRUE);
}

void screen_bell(void)
{
    if (screen.is_open) {
        write_all("\a", 1);
    }
}

/* --- keys -------------------------------------------------------------------------------------------- */

static enum screen_key named_key(wint_t code)
{
    static const struct {
        wint_t code;
        enum screen_key key;
    } keys[] = {
        {KEY_ENTER, SCREEN_ENTER},
        {KEY_UP, SCREEN_UP},
        {KEY_DOWN, SCREEN_DOWN},
        {KEY_LEFT, SCREEN_LEFT},
        {KEY_RIGHT, SCREEN_RIGHT},
        {KEY_HOME, SCREEN_HOME},
        {KEY_END, SCREEN_END},
        {KEY_PPAGE, SCREEN_PAGE_UP},
        {KEY_NPAGE, SCREEN_PAGE_DOWN},
        {KEY_BTAB, SCREEN_TAB_BACK},
        {KEY_BACKSPACE, SCREEN_RUB},
        {KEY_DC, SCREEN_DELETE},
        {OWN_PASTE_BEGIN, SCREEN_PASTE_BEGIN},
        {OWN_PASTE_END, SCREEN_PASTE_END},
        {OWN_WORD_LEFT, SCREEN_WORD_LEFT},
        {OWN_WORD_RIGHT, SCREEN_WORD_RIGHT},
        {OWN_ALT_LEFT, SCREEN_ALT_LEFT},
        {OWN_ALT_RIGHT, SCREEN_ALT_RIGHT},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i].code == code) {
            return keys[i].key;
        }
    }
    return SCREEN_OTHER;
}

/* No key: because none was hit, or because there is nobody any more? */
static enum screen_key no_key(void)
{
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    int waiting = 0;
    if (poll(&fd, 1, 0) > 0 && ((fd.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0 ||
                                ((fd.revents & POLLIN) != 0 &&
                                 ioctl(STDIN_FILENO, FIONREAD, &waiting) == 0 && waiting == 0))) {
        return SCREEN_CLOSED;
    }
    return SCREEN_NONE;
}

enum screen_key screen_key(uint32_t *code)
{
    wint_t c = 0;
    int kind = get_wch(&c);
    *code = (uint32_t)c;
    if (kind == ERR) {
        return no_key();
    }
    if (kind == KEY_CODE_YES) {
        return named_key(c);
    }
    if (c == 27) {
        kind = get_wch(&c);
        *code = (uint32_t)c;
        return kind == OK && c > 32 && c != 127 ? SCREEN_ALT : SCREEN_OTHER;
    }
    if (c == '\r' || c == '\n') {
        return SCREEN_ENTER;
    }
    if (c == '\t') {
        return SCREEN_TAB;
    }
    if (c == 127 || c == 8) {
        return SCREEN_RUB;
    }
    if (c < 32) {
        *code = (uint32_t)c + 'a' - 1;
        return SCREEN_CONTROL;
    }
    return SCREEN_TEXT;
}
