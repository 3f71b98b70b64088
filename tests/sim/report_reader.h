#pragma once

#include <string>

#include "history.h"

namespace postern::sim {

/// What stands after "X-Token: " in a content; empty when nothing does.
std::string token_in(const std::string& content);

/// A report as its reader sees it (RFC 3464), by a reader of our own, so that the server's writer
/// and this cannot be wrong in the same way. Without `to` and the times of its arrival.
Report read_report(const std::string& content);

}  // namespace postern::sim
