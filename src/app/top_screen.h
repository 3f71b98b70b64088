#pragma once

#include <string>

#include "app/terminal.h"
#include "app/top_figures.h"

namespace postern::app {

/// What `postern top` draws: lines that end in LF and fit the size, which is at least 80x24.
/// Escapes for colours only when they are wanted.
std::string draw_top(const TopFigures& figures, TerminalSize size, bool colours);

/// "0.0005" as "0.5ms", "12.3ms", "4.5s"; nothing as "-".
std::string latency_text(const std::optional<double>& seconds);
/// "999", "12.3k", "4.5M".
std::string count_text(double count);

}  // namespace postern::app
