#include "dns/testing/scripted_server.h"

#include "dns/packet.h"
#include "dns/zone_resolver.h"

namespace postern::dns {
namespace {

/// RFC 1035 section 4.2.1 and, with EDNS, what we let a datagram hold.
constexpr std::size_t datagram_bytes_max = 512;
constexpr std::size_t edns_datagram_bytes_max = 1232;

struct Script {
  std::vector<Record> records;
  std::optional<Fault> fault;
};

/// Follows CNAMEs as a resolver's answer shows them.
Script follow(const Zone& zone, std::string name, Type type) {
  Script script;
  for (int step = 0; step < cname_steps_max; ++step) {
    ZoneMatch match = zone.find(name, type);
    if (match.records.empty()) {
      script.fault = match.fault;
      return script;
    }
    const bool is_alias = match.records.front().type != type;
    if (is_alias) name = match.records.front().name;
    for (Record& record : match.records) {
      if (!is_alias) record.owner = name;  // a wildcard's records are the name's own
      script.records.push_back(std::move(record));
    }
    if (!is_alias) return script;
  }
  script.fault = Fault::serv_fail;
  return script;
}

ResponseFlags flags_of(std::optional<Fault> fault) {
  if (!fault) return {};
  switch (*fault) {
    case Fault::nx_domain:
      return {.code = ResponseCode::nx_domain, .with_soa = true};
    case Fault::no_data:
      return {.with_soa = true};
    case Fault::refused:
      return {.code = ResponseCode::refused};
    case Fault::serv_fail:
    case Fault::bogus:
    case Fault::timed_out:
      break;
  }
  return {.code = ResponseCode::serv_fail};
}

}  // namespace

ScriptedServer::ScriptedServer(const io::Executor& executor, Zone zone)
    : zone_(std::move(zone)),
      server_(executor, [this](std::string_view message, io::PacketServer::Transport transport) {
        return respond(message, transport);
      }) {}

std::optional<std::string> ScriptedServer::respond(std::string_view message,
                                                   io::PacketServer::Transport transport) {
  const bool is_udp = transport == io::PacketServer::Transport::udp;
  ++(is_udp ? udp_questions_ : tcp_questions_);
  const auto question =
      read_question({reinterpret_cast<const std::uint8_t*>(message.data()), message.size()});
  if (silent_ || !question) return std::nullopt;
  if (const auto raw = raw_.find(question->name); raw != raw_.end())
    return std::string(message.substr(0, 2)) + raw->second;
  Script script = follow(zone_, question->name, static_cast<Type>(question->type));
  if (script.fault == Fault::timed_out) return std::nullopt;
  const ResponseFlags flags = flags_of(script.fault);
  const std::size_t fits = question->has_edns ? edns_datagram_bytes_max : datagram_bytes_max;
  std::string response = write_response(*question, script.records, flags);
  if (is_udp && response.size() > fits)
    response = write_response(*question, {}, {.truncated = true});
  return response;
}

}  // namespace postern::dns
