#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace postern::app {

/// Gives `path` (a directory or file) to `user`, when this process may. Error: no such user, or the
/// system refused.
Result<> give_to_user(const std::string& path, const std::string& user);

/// Becomes `user`, with its group and its further groups, for good: afterwards root cannot be had
/// back. Nothing when the process is that user already. Error: no such user, or not started as
/// root.
Result<> become_user(const std::string& user);

/// The same with the user that owns `path`; nothing when this process is not root.
Result<> become_owner_of(const std::string& path);

/// Raises the limit of open files to what the system lets this process have, and gives it.
std::uint64_t raise_open_files_max();

}  // namespace postern::app
