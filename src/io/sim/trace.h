#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace postern::io {

/// Everything that happened in a simulated world, as a running hash, so that two runs of one seed
/// can be compared; optionally also as text, to find where two runs part.
class Trace {
 public:
  static constexpr std::size_t lines_max = 1'000'000;

  void record(SteadyTime time, std::string_view kind, std::string_view bytes);
  void keep_text() { keep_text_ = true; }

  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  [[nodiscard]] std::uint64_t events() const { return events_; }
  /// "12.003456 send mx: 250 ok\r\n", the first lines_max of them; empty without keep_text().
  [[nodiscard]] const std::vector<std::string>& text() const { return text_; }

 private:
  void mix(std::string_view bytes);

  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
  std::uint64_t events_ = 0;
  bool keep_text_ = false;
  std::vector<std::string> text_;
};

}  // namespace postern::io
