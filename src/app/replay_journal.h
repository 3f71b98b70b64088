#pragma once

#include <fstream>
#include <string>
#include <unordered_map>

#include "auth/iprev.h"
#include "base/ip.h"
#include "base/result.h"
#include "base/time.h"
#include "dns/resolver.h"

namespace postern::app {

/// What was looked up for `postern replay`, one client a line of JSON, written down at once. It
/// holds what the DNS said and not what was made of it, so that it serves another configuration,
/// too.
class ReplayJournal {
 public:
  static constexpr Duration age_max = std::chrono::hours(24);

  /// Reads what is there of the last day; a line that does not read is as if it were not there.
  /// Error: the file cannot be written, or is another's (its first line is none of a journal); for
  /// the operator.
  static Result<ReplayJournal> open(const std::string& path, WallTime now);

  [[nodiscard]] const std::unordered_map<IpAddress, auth::Iprev>& known() const { return known_; }
  void write(const auth::Iprev& iprev, WallTime now);
  /// Error: not all could be written.
  [[nodiscard]] Result<> end() const;

 private:
  std::string path_;
  std::ofstream file_;
  std::unordered_map<IpAddress, auth::Iprev> known_;
};

/// A resolver that knows some answers already and asks another one for the rest, which outlives it.
class KnownAnswers final : public dns::Resolver {
 public:
  explicit KnownAnswers(dns::Resolver& rest) : rest_(rest) {}
  /// What these lookups asked; of them, what had an answer.
  void add(const auth::Iprev& iprev);
  io::Task<dns::Answer> lookup(std::string name, dns::Type type, io::Deadline deadline) override;
  void stop() override { rest_.stop(); }

 private:
  static std::string key(std::string_view name, dns::Type type);

  dns::Resolver& rest_;
  std::unordered_map<std::string, dns::Answer> answers_;
};

}  // namespace postern::app
