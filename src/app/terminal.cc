#include "app/terminal.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

namespace postern::app {
namespace {

constexpr std::string_view enter = "\x1b[?1049h\x1b[?25l\x1b[2J";  // other screen, no cursor
constexpr std::string_view leave = "\x1b[?25h\x1b[?1049l";
constexpr std::string_view home = "\x1b[H";
constexpr std::string_view to_line_end = "\x1b[K\r\n";
constexpr std::string_view to_screen_end = "\x1b[J";

bool put(std::string_view text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
         std::fflush(stdout) == 0;
}

}  // namespace

TerminalSize terminal_size(TerminalSize unknown) {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
    return unknown;
  return {.columns = size.ws_col, .rows = size.ws_row};
}

bool can_draw() {
  const char* terminal = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) == 1 && terminal != nullptr &&
         std::string_view(terminal) != "dumb";
}

bool can_colour() {
  const char* no_colour = std::getenv("NO_COLOR");
  return can_draw() && (no_colour == nullptr || *no_colour == '\0');
}

Screen::Screen() {
  termios now{};
  if (::tcgetattr(STDIN_FILENO, &now) == 0) {
    before_ = now;
    now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
    now.c_cc[VMIN] = 0;
    now.c_cc[VTIME] = 0;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &now);
  }
  put(enter);
}

Screen::~Screen() {
  put(leave);
  if (before_) ::tcsetattr(STDIN_FILENO, TCSANOW, &*before_);
}

bool Screen::draw(const std::string& lines) {
  std::string frame(home);
  std::string_view rest = lines;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    frame += rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    // The last line stays the last: an LF behind it would scroll the screen.
    frame += rest.empty() ? to_line_end.substr(0, 3) : to_line_end;
  }
  frame += to_screen_end;
  return put(frame);
}

std::optional<char> Screen::key() {
  if (::isatty(STDIN_FILENO) != 1) return std::nullopt;
  char key = 0;
  if (::read(STDIN_FILENO, &key, 1) != 1) return std::nullopt;
  return key;
}

}  // namespace postern::app
