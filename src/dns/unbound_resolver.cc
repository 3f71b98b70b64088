#include "dns/unbound_resolver.h"

#include <array>
#include <fmt/format.h>
#include <span>
#include <unbound-event.h>
#include <unbound.h>

#include "base/text.h"
#include "dns/name.h"
#include "dns/packet.h"
#include "io/notify.h"

namespace postern::dns {
namespace {

constexpr std::uint16_t dns_port = 53;
/// What the C library's resolver takes of resolv.conf (MAXNS).
constexpr std::size_t name_servers_max = 3;
constexpr int class_in = 1;
/// The third argument of libunbound's callback.
constexpr int security_bogus = 1;
constexpr int security_secure = 2;

Result<> unbound_failure(int error, const std::string& doing) {
  if (error == 0) return {};
  return operator_failure(Cause::other, fmt::format("DNS: {}: {}", doing, ub_strerror(error)));
}

std::string unbound_endpoint(const Endpoint& endpoint) {
  return fmt::format("{}@{}", endpoint.address.text(), endpoint.port);
}

Answer undetermined(Status status, const std::string& name) {
  Answer answer;
  answer.status = status;
  answer.canonical_name = name;
  return answer;
}

std::string query_key(const std::string& name, Type type) {
  return fmt::format("{} {}", static_cast<unsigned>(type), name);
}

}  // namespace

struct UnboundResolver::Query {
  Query(UnboundResolver& resolver, std::string asked_name, Type asked_type)
      : owner(resolver), name(std::move(asked_name)), type(asked_type), ended(resolver.clock_) {}

  UnboundResolver& owner;
  std::string name;
  Type type;
  bool starting = false;  ///< libunbound is being asked
  bool finished = false;
  Answer answer;
  io::Notify ended;
};

std::vector<Endpoint> forwarders_from_resolv_conf(std::string_view text) {
  constexpr std::string_view keyword = "nameserver";
  std::vector<Endpoint> forwarders;
  while (!text.empty() && forwarders.size() < name_servers_max) {
    const auto end = text.find('\n');
    std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.starts_with(keyword)) continue;
    line.remove_prefix(keyword.size());
    if (line.empty() || (line.front() != ' ' && line.front() != '\t')) continue;
    line = trim(line);
    const auto address = IpAddress::parse(line.substr(0, line.find_first_of(" \t#;")));
    if (address) forwarders.push_back({*address, dns_port});
  }
  if (forwarders.empty()) forwarders.push_back({IpAddress::from_v4({127, 0, 0, 1}), dns_port});
  return forwarders;
}

UnboundResolver::UnboundResolver(io::Clock& clock, io::Descriptors& descriptors,
                                 UnboundOptions options)
    : clock_(clock), options_(std::move(options)), events_(clock, descriptors) {}

UnboundResolver::~UnboundResolver() {
  if (context_ != nullptr) ub_ctx_delete(context_);
}

Result<std::unique_ptr<UnboundResolver>> UnboundResolver::create(io::Clock& clock,
                                                                 io::Descriptors& descriptors,
                                                                 UnboundOptions options) {
  std::unique_ptr<UnboundResolver> resolver(
      new UnboundResolver(clock, descriptors, std::move(options)));
  resolver->context_ = ub_ctx_create_ub_event(resolver->events_.base());
  if (resolver->context_ == nullptr)
    return our_failure(Cause::other, "DNS: libunbound cannot make a context: out of memory");
  TRY_VOID(resolver->configure());
  return resolver;
}

Result<> UnboundResolver::set_option(const char* name, const std::string& value) {
  return unbound_failure(ub_ctx_set_option(context_, name, value.c_str()),
                         fmt::format("option {} {}", name, value));
}

Result<> UnboundResolver::configure() {
  const bool validates = !options_.trust_anchor_file.empty();
  const std::array<std::pair<const char*, std::string>, 27> settings{{
      {"module-config:", validates ? "validator iterator" : "iterator"},
      {"verbosity:", "0"},
      // Each question in full: one more server round for every label costs more than it hides, from
      // servers that we send mail to.
      {"qname-minimisation:", "no"},
      // Two thirds for records, one for messages; one thread needs no slabs.
      {"rrset-cache-size:", std::to_string(options_.cache_bytes_max / 3 * 2)},
      {"msg-cache-size:", std::to_string(options_.cache_bytes_max / 3)},
      {"rrset-cache-slabs:", "1"},
      {"msg-cache-slabs:", "1"},
      {"infra-cache-slabs:", "1"},
      {"key-cache-slabs:", "1"},
      {"num-queries-per-thread:", std::to_string(options_.lookups_max)},
      {"outgoing-range:", std::to_string(options_.sockets_max)},
      {"outgoing-num-tcp:", "32"},
      // A silent server must not use up a check's whole deadline, nor be shunned for the default
      // quarter of an hour after it is back.
      {"outbound-msg-retry:", "2"},
      {"infra-cache-max-rtt:", "1500"},
      {"infra-host-ttl:", "10"},
      {"infra-keep-probing:", "yes"},
      {"max-sent-count:", "16"},
      {"do-not-query-localhost:", "no"},
      // Private reverse zones and test. are answered by whoever we ask, not by built-in empty
      // zones.
      {"unblock-lan-zones:", "yes"},
      {"insecure-lan-zones:", "yes"},
      {"domain-insecure:", "test."},
      {"domain-insecure:", "127.in-addr.arpa."},
      {"local-zone:", "test. transparent"},
      {"local-zone:", "127.in-addr.arpa. transparent"},
      {"local-zone:", "home.arpa. transparent"},
      {"cache-max-negative-ttl:", "300"},
      {"use-syslog:", "no"},
  }};
  for (const auto& [name, value] : settings) TRY_VOID(set_option(name, value));
  for (const Endpoint& forwarder : options_.forwarders) {
    const std::string at = unbound_endpoint(forwarder);
    TRY_VOID(unbound_failure(ub_ctx_set_fwd(context_, at.c_str()), "forwarder " + at));
  }
  for (const StubZone& zone : options_.stub_zones)
    for (const Endpoint& server : zone.servers) {
      const std::string at = unbound_endpoint(server);
      TRY_VOID(unbound_failure(ub_ctx_set_stub(context_, zone.name.c_str(), at.c_str(), 0),
                               fmt::format("stub zone {}, server {}", zone.name, at)));
    }
  if (validates)
    TRY_VOID(unbound_failure(ub_ctx_add_ta_file(context_, options_.trust_anchor_file.c_str()),
                             "trust anchor file " + options_.trust_anchor_file));
  // Its own messages repeat what the answers say, without bound.
  ub_ctx_debugout(context_, nullptr);
  return {};
}

io::Task<Answer> UnboundResolver::lookup(std::string name, Type type, io::Deadline deadline) {
  auto normal = normalize_name(name);
  if (!normal) co_return undetermined(Status::nx_domain, name);
  if (stopped_ || deadline.passed(clock_.now())) co_return undetermined(Status::timed_out, *normal);
  const std::shared_ptr<Query> query = query_for(*normal, type);
  while (!query->finished)
    if (!co_await query->ended.wait(deadline)) break;
  co_return query->finished ? query->answer : undetermined(Status::timed_out, *normal);
}

std::shared_ptr<UnboundResolver::Query> UnboundResolver::query_for(const std::string& name,
                                                                   Type type) {
  const std::string key = query_key(name, type);
  if (const auto found = queries_.find(key); found != queries_.end()) return found->second;
  auto query = std::make_shared<Query>(*this, name, type);
  if (queries_.size() >= options_.lookups_max) {
    finish(*query, undetermined(Status::timed_out, name));
    return query;
  }
  queries_.emplace(key, query);
  // A cached answer calls back inside this call: on_answer only stores it.
  const std::string asked = name + ".";
  query->starting = true;
  const int error = ub_resolve_event(context_, asked.c_str(), static_cast<int>(type), class_in,
                                     query.get(), &UnboundResolver::on_answer, nullptr);
  query->starting = false;
  if (error != 0) finish(*query, undetermined(Status::serv_fail, name));
  return query;
}

void UnboundResolver::on_answer(void* argument, int code, void* packet, int packet_bytes,
                                int security, char*, int) {
  Query& query = *static_cast<Query*>(argument);
  if (code == static_cast<int>(ResponseCode::nx_domain) && packet == nullptr)
    return query.owner.finish(query, undetermined(Status::nx_domain, query.name));
  if (security == security_bogus)
    return query.owner.finish(query, undetermined(Status::bogus, query.name));
  if (code != 0 || packet == nullptr || packet_bytes <= 0)
    return query.owner.finish(query, undetermined(Status::serv_fail, query.name));
  auto answer = read_answer(
      {static_cast<const std::uint8_t*>(packet), static_cast<std::size_t>(packet_bytes)},
      query.name, query.type);
  if (!answer) return query.owner.finish(query, undetermined(Status::serv_fail, query.name));
  answer->secure = security == security_secure;
  query.owner.finish(query, *std::move(answer));
}

void UnboundResolver::finish(Query& query, Answer answer) {
  query.answer = std::move(answer);
  query.answer.cached = query.starting;
  query.finished = true;
  query.ended.wake_all();
  // Last: it may be the query's end.
  queries_.erase(query_key(query.name, query.type));
}

void UnboundResolver::stop() {
  if (stopped_) return;
  stopped_ = true;
  // libunbound still refers to the queries: they stay in the table until it calls or ends.
  for (const auto& [key, query] : queries_) {
    query->answer = undetermined(Status::timed_out, query->name);
    query->finished = true;
    query->ended.wake_all();
  }
}

}  // namespace postern::dns
