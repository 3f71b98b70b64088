#pragma once

#include <string>
#include <string_view>

namespace postern {

/// Where a file of this checkout lies that a test reads: "tests/golden/dsn/failed.eml". Only this
/// file's source knows the checkout's path, so that ccache serves all others to every checkout.
std::string source_path(std::string_view relative);

}  // namespace postern
