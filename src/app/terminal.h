#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <termios.h>

namespace postern::app {

struct TerminalSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};
/// Of standard output; `unknown` when it does not tell.
TerminalSize terminal_size(TerminalSize unknown = {});

/// Whether standard output is a terminal that can be drawn on.
bool can_draw();
/// The same, and nobody asked for no colours (NO_COLOR, https://no-color.org).
bool can_colour();

/// The terminal as a screen to draw on, from construction on; as it was before, afterwards. One at
/// a time. Keys come one by one, Ctrl-C too.
class Screen {
 public:
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  /// Draws lines that end in LF over what is there, without flicker. False: nobody sees it any
  /// more.
  static bool draw(const std::string& lines);
  /// A key that was pressed, if one was. Never waits.
  static std::optional<char> key();

 private:
  std::optional<termios> before_;  ///< of standard input, when that is a terminal
};

}  // namespace postern::app
