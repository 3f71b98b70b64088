#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "dns/testing/scripted_server.h"

namespace postern::conformance {

/// One case of tests/conformance/unknown-ip.toml, whose README explains the words.
struct Case {
  std::string id;
  std::string client;
  std::string zone;  ///< the text
  dns::ServerScript script;
  bool silent = false;     ///< nothing but the check's deadline ends it
  bool iterative = false;  ///< the resolver asks the servers of the zones, and no forwarder

  std::string state;
  std::string cause;
  std::string because;
  std::string confirmed;
  bool secure = false;
  std::optional<std::uint32_t> ttl_seconds;

  /// Whether the zone alone tells everything, so that a resolver that reads it must agree.
  [[nodiscard]] bool is_plain() const;
};

/// Every case of the file. The error names the place.
Result<std::vector<Case>> read_cases(const std::string& path);

}  // namespace postern::conformance
