#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace postern::io {

/// What errno means, where the socket, the disk or a listener reported it. `doing` becomes part of
/// the text: "connect to 192.0.2.7:25: Connection refused".
std::unexpected<Error> socket_failure(int error_number, std::string_view doing);
std::unexpected<Error> disk_failure(int error_number, std::string_view doing);
std::unexpected<Error> listen_failure(int error_number, std::string_view doing);

/// What every implementation of a stream says.
std::unexpected<Error> closed_by_us();
std::unexpected<Error> deadline_passed(std::string_view doing);

}  // namespace postern::io
