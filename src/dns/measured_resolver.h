#pragma once

#include <cstddef>

#include "base/metrics.h"
#include "dns/resolver.h"
#include "io/clock.h"

namespace postern::dns {

/// What a MeasuredResolver has counted.
struct LookupMetrics {
  /// The types that are asked for; `type_index` gives a type's place.
  static constexpr std::array types{Type::a,  Type::aaaa, Type::ptr,
                                    Type::mx, Type::txt,  Type::cname};
  static constexpr std::size_t statuses = 6;
  static std::size_t type_index(Type type);

  struct OfType {
    ByEnum<Status, statuses> answers;
    LatencyHistogram latency;
  };
  std::array<OfType, types.size()> by_type;
};

/// Passes lookups on to another resolver and counts how they end and how long they take. One shard.
class MeasuredResolver final : public Resolver {
 public:
  /// Both outlive this object.
  MeasuredResolver(Resolver& below, io::Clock& clock) : below_(below), clock_(clock) {}
  io::Task<Answer> lookup(std::string name, Type type, io::Deadline deadline) override;
  void stop() override { below_.stop(); }
  [[nodiscard]] const LookupMetrics& metrics() const { return metrics_; }

 private:
  Resolver& below_;
  io::Clock& clock_;
  LookupMetrics metrics_;
};

}  // namespace postern::dns
