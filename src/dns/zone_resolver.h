#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "dns/resolver.h"
#include "dns/zone_text.h"
#include "io/clock.h"
#include "io/notify.h"

namespace postern::dns {

/// One lookup that a ZoneResolver was asked.
struct LookupRecord {
  std::string name;
  Type type = Type::a;
  Status status = Status::timed_out;
  SteadyTime asked_at;
  SteadyTime answered_at;
};

/// A Resolver that answers from zone text: for tests and the simulator, and, over the real clock,
/// for the demo and for `zone_files`. One shard. Must outlive its lookups.
///
/// A TIMEOUT name is silent until the deadline; a REFUSED one is serv_fail, as a real resolver
/// makes it. Every lookup is remembered, so that a test can account for each; at most lookups_kept
/// of them.
class ZoneResolver final : public Resolver {
 public:
  ZoneResolver(io::Clock& clock, Zone zone)
      : clock_(clock), zone_(std::move(zone)), stop_requested_(clock) {}
  ZoneResolver(const ZoneResolver&) = delete;
  ZoneResolver& operator=(const ZoneResolver&) = delete;

  io::Task<Answer> lookup(std::string name, Type type, io::Deadline deadline) override;
  void stop() override;

  /// From now on answers come from this zone; lookups under way see it too.
  void set_zone(Zone zone) { zone_ = std::move(zone); }
  [[nodiscard]] Zone& zone() { return zone_; }
  /// How long every answer takes; 0 at first.
  void set_latency(Duration latency) { latency_ = latency; }
  /// Who is asked about names that the zone says nothing about, not even NXDOMAIN. nullptr (at
  /// first): they are nx_domain. Must outlive this object.
  void set_beyond(Resolver* beyond) { beyond_ = beyond; }

  /// The lookups so far, in the order in which they ended, and forgets them.
  std::vector<LookupRecord> take_lookups();
  [[nodiscard]] std::size_t lookups_under_way() const { return under_way_; }

  static constexpr std::size_t lookups_kept = 10'000;

 private:
  io::Task<Answer> answer(const std::string& name, Type type, io::Deadline deadline);
  /// Waits until `time`. False: stopped before.
  io::Task<bool> wait_until(SteadyTime time);
  io::Task<Answer> wait_in_silence(io::Deadline deadline);

  io::Clock& clock_;
  Zone zone_;
  Duration latency_{};
  Resolver* beyond_ = nullptr;
  std::size_t under_way_ = 0;
  bool stopped_ = false;
  io::Notify stop_requested_;
  std::deque<LookupRecord> lookups_;
};

/// Follows CNAMEs through a zone and gathers the answer. Status::timed_out stands for a TIMEOUT
/// name somewhere on the way. `known` is false when the zone says nothing about `name` itself.
struct ZoneAnswer {
  Answer answer;
  bool known = false;
};
ZoneAnswer answer_from_zone(const Zone& zone, const std::string& name, Type type);

/// Puts names, addresses and mail exchanges into the order that Answer promises, without doubles.
void sort_answer(Answer& answer);

/// RFC 1034 section 3.6.2 sets no limit; a chain this long is a loop.
inline constexpr int cname_steps_max = 12;

}  // namespace postern::dns
