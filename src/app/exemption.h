#pragma once

#include <string>
#include <string_view>

#include "base/ip.h"

namespace postern::app {

/// A block for the configuration that lets this client's mail in: all of it, or that of one
/// sender's domain (empty, or a text that is none: all). `comment` says why. Pure; ends in a line
/// feed.
std::string exemption(const IpAddress& client, std::string_view sender_domain,
                      std::string_view comment);

}  // namespace postern::app
