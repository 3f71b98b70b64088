#pragma once

#include <string>

#include "base/ip.h"

namespace postern::lab {

/// An address that a server sends from, and the name that it gives in EHLO there.
struct Outlet {
  IpAddress address;
  std::string name;
};

}  // namespace postern::lab
