#include "dns/testing/scripted_server.h"

#include "base/check.h"
#include "dns/name.h"
#include "dns/packet.h"
#include "dns/zone_resolver.h"

namespace postern::dns {
namespace {

/// RFC 1035 section 4.2.1 and, with EDNS, what we let a datagram hold.
constexpr std::size_t datagram_bytes_max = 512;
constexpr std::size_t edns_datagram_bytes_max = 1232;
constexpr std::size_t header_bytes = 12;

struct Found {
  std::vector<WireRecord> records;
  std::string last_name;  ///< where the chain of aliases ended
  std::optional<Fault> fault;
};

/// RFC 6672 section 3.1: the DNAME, and the CNAME made of it. False: there is none above `name`.
bool redirect(const Manners& manners, Found& found) {
  const auto* const dname = manners.dname_above(found.last_name);
  if (dname == nullptr) return false;
  const auto& [owner, target] = *dname;
  const std::string alias =
      found.last_name.substr(0, found.last_name.size() - owner.size()) + target;
  WireRecord record{owner, type_dname, 300, {}};
  put_name(record.value, target);
  found.records.push_back(std::move(record));
  WireRecord made{found.last_name, static_cast<std::uint16_t>(Type::cname), 300, {}};
  put_name(made.value, alias);
  found.records.push_back(std::move(made));
  found.last_name = alias;
  return true;
}

/// Follows aliases as a resolver's answer shows them; an authority leaves that to who asks.
Found follow(const ServerScript& script, std::string name, Type type) {
  Found found{.records = {}, .last_name = std::move(name), .fault = std::nullopt};
  for (int step = 0; step < cname_steps_max; ++step) {
    if (script.authoritative && step > 0) return found;
    if (redirect(script.manners, found)) continue;
    ZoneMatch match = script.zone.find(found.last_name, type);
    if (match.records.empty()) {
      found.fault = match.fault;
      return found;
    }
    const bool is_alias = match.records.front().type != type;
    for (Record& record : match.records) {
      record.owner = found.last_name;  // a wildcard's records are the name's own
      found.records.push_back(to_wire(record));
    }
    if (!is_alias) return found;
    found.last_name = match.records.front().name;
  }
  found.fault = Fault::serv_fail;
  return found;
}

unsigned code_of(std::optional<Fault> fault) {
  if (!fault) return static_cast<unsigned>(ResponseCode::no_error);
  switch (*fault) {
    case Fault::nx_domain:
      return static_cast<unsigned>(ResponseCode::nx_domain);
    case Fault::no_data:
      return static_cast<unsigned>(ResponseCode::no_error);
    case Fault::refused:
      return static_cast<unsigned>(ResponseCode::refused);
    case Fault::serv_fail:
    case Fault::bogus:
    case Fault::timed_out:
      break;
  }
  return static_cast<unsigned>(ResponseCode::serv_fail);
}

bool is_negative(const Response& response) {
  return !response.authority.empty() && response.authority.front().type == type_soa;
}

/// RFC 1035 sections 2.3.4 and 4.1.4: an answer of one record with a name that is too long, leads
/// nowhere or round in circles.
std::string with_bad_name(const Question& question, const Manner& manner) {
  std::string bytes = write_message(question, {}).substr(0, header_bytes + question.bytes.size());
  bytes[7] = 1;
  bytes[11] = 0;
  const std::size_t here = bytes.size();
  put_u16(bytes, 0xc000 | (manner.pointer_loop ? here : header_bytes));
  put_u16(bytes, question.type);
  put_u16(bytes, 1);
  put_u32(bytes, Zone::negative_ttl_seconds);
  if (manner.value_too_long) {
    std::string name;
    for (int i = 0; i < 5; ++i) (name += '\x3f') += std::string(label_bytes_max, 'a');
    name += '\0';
    put_u16(bytes, name.size());
    return bytes + name;
  }
  put_u16(bytes, 2);
  put_u16(bytes, 0xc000 | (manner.beyond ? 0x3fff : bytes.size()));
  return bytes;
}

/// The same response as the answer to another question.
std::string of_another_question(Question question, const Response& response) {
  CHECK(question.bytes.size() > 2);
  question.bytes[1] = question.bytes[1] == 'x' ? 'y' : 'x';
  return write_message(question, response);
}

/// The addresses that the forger has for the names in `records`.
void add_forged(const Zone& forged, const std::vector<WireRecord>& records, const Zone& zone,
                std::vector<WireRecord>& into) {
  for (const WireRecord& record : records)
    for (const Record& told : zone.find(record.owner, static_cast<Type>(record.type)).records)
      for (const Type type : {Type::a, Type::aaaa})
        for (const Record& address : forged.find(told.name, type).records)
          into.push_back(to_wire(address));
}

}  // namespace

ScriptedServer::ScriptedServer(const io::Executor& executor, Zone zone)
    : ScriptedServer(executor, ServerScript{.zone = std::move(zone)}, WallTime{}) {}

ScriptedServer::ScriptedServer(const io::Executor& executor, ServerScript script, WallTime now)
    : script_(std::move(script)), server_(executor, [this](std::string_view message, Transport by) {
        return respond(message, by);
      }) {
  if (script_.refuses_tcp) server_.refuse_tcp();
  for (const std::string& apex : script_.signed_zones)
    signers_.push_back(std::make_unique<ZoneSigner>(apex, now));
}

std::string ScriptedServer::trust_anchors() const {
  std::string text;
  for (const auto& signer : signers_) text += signer->trust_anchor();
  return text;
}

const ZoneSigner* ScriptedServer::signer_of(std::string_view name) const {
  for (const auto& signer : signers_)
    if (signer->holds(name)) return signer.get();
  return nullptr;
}

std::vector<io::PacketServer::Reply> ScriptedServer::respond(std::string_view message,
                                                             Transport transport) {
  const bool is_udp = transport == Transport::udp;
  ++(is_udp ? udp_questions_ : tcp_questions_);
  const auto question =
      read_question({reinterpret_cast<const std::uint8_t*>(message.data()), message.size()});
  if (silent_ || !question) return {};
  if (const auto raw = raw_.find(question->name); raw != raw_.end())
    return {{std::string(message.substr(0, 2)) + raw->second}};
  const Manner& manner = script_.manners.find(question->name, question->type);
  const unsigned asked_before = asked_[{question->name, question->type}]++;
  if (asked_before < manner.lost) return {};
  if (manner.tcp_closed && !is_udp) return {};
  return replies(*question, manner, is_udp);
}

std::vector<io::PacketServer::Reply> ScriptedServer::replies(const Question& question,
                                                             const Manner& manner,
                                                             bool is_udp) const {
  std::vector<Reply> sent;
  if (manner.forged_id || manner.forged_question) {
    Response forged;
    for (const Record& record :
         script_.forged.find(question.name, static_cast<Type>(question.type)).records)
      forged.answer.push_back(to_wire(record));
    Question other = question;
    if (manner.forged_id) other.id ^= 0x5555;
    sent.push_back({manner.forged_question ? of_another_question(question, forged)
                                           : write_message(other, forged)});
  }
  if (manner.only_forged) return sent;
  if (manner.pointer_loop || manner.value_loop || manner.beyond || manner.value_too_long) {
    sent.push_back({with_bad_name(question, manner), manner.delay});
    return sent;
  }
  const auto response = response_to(question, manner);
  if (!response) return sent;
  std::string bytes = write_message(question, *response);
  const std::size_t fits = question.has_edns ? edns_datagram_bytes_max : datagram_bytes_max;
  if (is_udp && (manner.truncated || (bytes.size() > fits && !manner.oversized)))
    bytes = write_message(question, {.truncated = true});
  if (manner.cut < bytes.size()) bytes.resize(bytes.size() - manner.cut);
  sent.push_back({std::move(bytes), manner.delay});
  return sent;
}

std::optional<Response> ScriptedServer::response_to(const Question& question,
                                                    const Manner& manner) const {
  if (manner.code) return Response{.code = *manner.code};
  if (manner.edns_code && question.has_edns) return Response{.code = *manner.edns_code};
  if (manner.lame) {
    WireRecord referral{"", type_ns, 3600, {}};
    put_name(referral.value, "a.root-servers.example");
    return Response{.authority = {std::move(referral)}};
  }
  auto response = well_behaved(question);
  if (!response) return std::nullopt;
  change(*response, manner);
  sign(question, *response, manner);
  return response;
}

std::optional<Response> ScriptedServer::well_behaved(const Question& question) const {
  if (question.type == ZoneSigner::type_dnskey)
    for (const auto& signer : signers_)
      if (signer->apex() == question.name) return Response{.answer = {signer->key()}};
  Found found = follow(script_, question.name, static_cast<Type>(question.type));
  if (found.fault == Fault::timed_out) return std::nullopt;
  Response response{.code = code_of(found.fault), .authoritative = script_.authoritative};
  response.answer = std::move(found.records);
  if (found.fault == Fault::nx_domain || found.fault == Fault::no_data) {
    const ZoneSigner* const signer = signer_of(found.last_name);
    // The root's SOA goes with everything, but an authority has no say about the root.
    const std::string_view zone = signer != nullptr       ? std::string_view(signer->apex())
                                  : script_.authoritative ? parent_name(found.last_name)
                                                          : "";
    response.authority.push_back(
        soa(std::string(zone), Zone::negative_ttl_seconds, Zone::negative_ttl_seconds));
    if (signer != nullptr) prove_missing(*signer, found.last_name, response);
  }
  return response;
}

void ScriptedServer::prove_missing(const ZoneSigner& signer, const std::string& name,
                                   Response& response) const {
  if (response.code == static_cast<unsigned>(ResponseCode::nx_domain)) {
    for (WireRecord& proof : signer.nx_domain(name)) response.authority.push_back(std::move(proof));
    return;
  }
  std::vector<std::uint16_t> types;
  for (const Type type : {Type::a, Type::ptr, Type::mx, Type::txt, Type::aaaa})
    if (!script_.zone.find(name, type).records.empty())
      types.push_back(static_cast<std::uint16_t>(type));
  response.authority.push_back(signer.no_data(name, std::move(types)));
}

void ScriptedServer::change(Response& response, const Manner& manner) const {
  if (manner.in_answer) {
    std::vector<WireRecord> forged;
    add_forged(script_.forged, response.answer, script_.zone, forged);
    response.answer.insert(response.answer.end(), forged.begin(), forged.end());
  }
  if (manner.additional)
    add_forged(script_.forged, response.answer, script_.zone, response.additional);
  if (manner.ttl)
    for (WireRecord& record : response.answer) record.ttl_seconds = *manner.ttl;
  if (is_negative(response) && manner.without_soa) response.authority.clear();
  if (is_negative(response) && (manner.ttl || manner.soa_minimum))
    response.authority.front() =
        soa(response.authority.front().owner, manner.ttl.value_or(Zone::negative_ttl_seconds),
            manner.soa_minimum.value_or(Zone::negative_ttl_seconds));
  if (manner.twice) {
    const std::vector<WireRecord> again = response.answer;
    response.answer.insert(response.answer.end(), again.begin(), again.end());
  }
}

void ScriptedServer::sign(const Question& question, Response& response,
                          const Manner& manner) const {
  if (manner.unsigned_) {
    std::erase_if(response.authority,
                  [](const WireRecord& record) { return record.type == ZoneSigner::type_nsec; });
    return;
  }
  // Without EDNS nobody can ask for signatures.
  if (!question.has_edns) return;
  const auto quality = manner.bad_signature ? ZoneSigner::Quality::broken
                       : manner.expired     ? ZoneSigner::Quality::expired
                                            : ZoneSigner::Quality::good;
  for (const auto& signer : signers_) {
    signer->sign(response.answer, quality);
    signer->sign(response.authority, quality);
  }
}

}  // namespace postern::dns
