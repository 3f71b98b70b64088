#include "dns/zone_resolver.h"

#include <algorithm>

#include "dns/name.h"

namespace postern::dns {
namespace {

/// How long a lookup without a deadline waits for a silent server.
constexpr Duration silence_max = std::chrono::seconds(30);

Status status_of(Fault fault) {
  switch (fault) {
    case Fault::nx_domain:
      return Status::nx_domain;
    case Fault::no_data:
      return Status::no_data;
    case Fault::serv_fail:
    case Fault::refused:
      return Status::serv_fail;
    case Fault::bogus:
      return Status::bogus;
    case Fault::timed_out:
      return Status::timed_out;
  }
  return Status::serv_fail;
}

void append(Answer& answer, const Record& record) {
  switch (record.type) {
    case Type::a:
    case Type::aaaa:
      answer.addresses.push_back(record.address);
      return;
    case Type::ptr:
    case Type::cname:
      answer.names.push_back(record.name);
      return;
    case Type::mx:
      answer.mail_exchanges.push_back({record.preference, record.name});
      return;
    case Type::txt:
      answer.texts.push_back(record.text);
      return;
  }
}

template <typename Values>
void sort_unique(Values& values) {
  std::ranges::sort(values);
  const auto doubles = std::ranges::unique(values);
  values.erase(doubles.begin(), doubles.end());
}

}  // namespace

void sort_answer(Answer& answer) {
  sort_unique(answer.names);
  sort_unique(answer.addresses);
  sort_unique(answer.mail_exchanges);
}

ZoneAnswer answer_from_zone(const Zone& zone, const std::string& name, Type type) {
  ZoneAnswer result;
  Answer& answer = result.answer;
  answer.canonical_name = name;
  std::uint32_t ttl = 0x7fffffff;
  for (int step = 0; step <= cname_steps_max; ++step) {
    const ZoneMatch match = zone.find(answer.canonical_name, type);
    if (step == 0) result.known = match.known;
    if (match.records.empty()) {
      answer.status = status_of(match.fault);
      ttl = std::min(ttl, Zone::negative_ttl_seconds);
      answer.ttl_seconds = is_determined(answer.status) ? ttl : 0;
      return result;
    }
    for (const Record& record : match.records) ttl = std::min(ttl, record.ttl_seconds);
    if (match.records.front().type == type) {
      for (const Record& record : match.records) append(answer, record);
      answer.status = Status::ok;
      answer.ttl_seconds = ttl;
      sort_answer(answer);
      return result;
    }
    answer.canonical_name = match.records.front().name;
  }
  answer.status = Status::serv_fail;
  return result;
}

io::Task<Answer> ZoneResolver::lookup(std::string name, Type type, io::Deadline deadline) {
  const SteadyTime asked_at = clock_.now();
  ++under_way_;
  auto normal = normalize_name(name);
  Answer found;
  if (stopped_) {
    found.canonical_name = name;
  } else if (normal) {
    name = std::move(*normal);
    found = co_await answer(name, type, deadline);
  } else {
    found.status = Status::nx_domain;
    found.canonical_name = name;
  }
  --under_way_;
  lookups_.push_back({name, type, found.status, asked_at, clock_.now()});
  if (lookups_.size() > lookups_kept) lookups_.pop_front();
  co_return found;
}

io::Task<Answer> ZoneResolver::answer(const std::string& name, Type type, io::Deadline deadline) {
  if (latency_ > Duration::zero()) {
    const SteadyTime ready = clock_.now() + latency_;
    if (deadline.passed(ready)) co_return co_await wait_in_silence(deadline);
    if (!co_await wait_until(ready)) co_return Answer{};
  }
  if (deadline.passed(clock_.now())) co_return Answer{};
  ZoneAnswer found = answer_from_zone(zone_, name, type);
  if (!found.known && beyond_ != nullptr) co_return co_await beyond_->lookup(name, type, deadline);
  if (found.answer.status == Status::timed_out) co_return co_await wait_in_silence(deadline);
  co_return std::move(found.answer);
}

io::Task<bool> ZoneResolver::wait_until(SteadyTime time) {
  while (!stopped_ && clock_.now() < time) co_await stop_requested_.wait(io::Deadline::at(time));
  co_return !stopped_;
}

io::Task<Answer> ZoneResolver::wait_in_silence(io::Deadline deadline) {
  co_await wait_until(deadline.sooner(clock_.in(silence_max)).time());
  co_return Answer{};
}

void ZoneResolver::stop() {
  stopped_ = true;
  if (beyond_ != nullptr) beyond_->stop();
  stop_requested_.wake_all();
}

std::vector<LookupRecord> ZoneResolver::take_lookups() {
  std::vector<LookupRecord> taken(std::make_move_iterator(lookups_.begin()),
                                  std::make_move_iterator(lookups_.end()));
  lookups_.clear();
  return taken;
}

}  // namespace postern::dns
