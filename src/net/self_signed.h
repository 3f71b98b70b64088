#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace postern::net {

/// A certificate (or chain) and its private key, as PEM text.
struct PemPair {
  std::string certificate;
  std::string key;
};

/// A P-256 certificate of its own for `host_name`, valid from a day before `now` for `days`. Good
/// for opportunistic TLS, where nobody verifies it, and for tests.
Result<PemPair> make_self_signed(std::string_view host_name, WallTime now, int days = 3650);

}  // namespace postern::net
