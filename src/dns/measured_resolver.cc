#include "dns/measured_resolver.h"

#include <algorithm>

#include "base/check.h"

namespace postern::dns {

std::size_t LookupMetrics::type_index(Type type) {
  const auto at = std::ranges::find(types, type);
  CHECK(at != types.end());
  return static_cast<std::size_t>(at - types.begin());
}

io::Task<Answer> MeasuredResolver::lookup(std::string name, Type type, io::Deadline deadline) {
  const SteadyTime begun = clock_.now();
  Answer answer = co_await below_.lookup(std::move(name), type, deadline);
  LookupMetrics::OfType& measured = metrics_.by_type.at(LookupMetrics::type_index(type));
  ++measured.answers[answer.status];
  measured.latency.observe(clock_.now() - begun);
  co_return answer;
}

}  // namespace postern::dns
