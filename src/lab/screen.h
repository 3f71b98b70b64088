#pragma once

#include <cstddef>
#include <string>

#include "lab/flow.h"

namespace postern::lab {

/// How large the terminal is.
struct ScreenSize {
  std::size_t columns = 100;
  std::size_t rows = 30;
};

/// A flow as it stands now, drawn for a terminal: a clock, the servers and who holds which message,
/// the users' mailboxes, and the last things that happened. Lines end in LF and fit the size.
std::string draw_flow(const Flow& flow, ScreenSize size);

}  // namespace postern::lab
