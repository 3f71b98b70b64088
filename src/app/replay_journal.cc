#include "app/replay_journal.h"

#include <fmt/format.h>
#include <optional>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/text.h"
#include "ledger/lookups_json.h"

namespace postern::app {
namespace {

using boost::json::object;

struct Entry {
  IpAddress client;
  WallTime at;
  std::optional<auth::Iprev> lookups;  ///< nullopt: of an older Postern, or damaged
};

/// {"client":"192.0.2.7","at":1795490753,"lookups":{...}}; nullopt: no line of a journal.
std::optional<Entry> read_entry(const std::string& line) {
  boost::system::error_code bad;
  const boost::json::value value = boost::json::parse(line, bad);
  if (bad || !value.is_object()) return std::nullopt;
  const object& entry = value.get_object();
  const auto* client = entry.if_contains("client");
  const auto* at = entry.if_contains("at");
  if (client == nullptr || !client->is_string() || at == nullptr || !at->is_int64())
    return std::nullopt;
  const auto address = IpAddress::parse(std::string_view(client->get_string()));
  if (!address) return std::nullopt;
  Entry read{.client = *address, .at = WallTime(seconds(at->get_int64())), .lookups = {}};
  if (const auto* lookups = entry.if_contains("lookups"))
    read.lookups = ledger::read_lookups(boost::json::serialize(*lookups), *address);
  return read;
}

}  // namespace

Result<ReplayJournal> ReplayJournal::open(const std::string& path, WallTime now) {
  ReplayJournal journal;
  journal.path_ = path;
  std::ifstream before(path);
  std::string line;
  for (bool first = true; std::getline(before, line); first = false) {
    auto entry = read_entry(line);
    if (first && !entry)
      return operator_failure(
          Cause::other, fmt::format("{} is another file than a journal of postern replay; name one "
                                    "that does not exist by --journal",
                                    printable(path)));
    if (entry && entry->lookups && now - entry->at <= age_max)
      journal.known_[entry->client] = *std::move(entry->lookups);
  }
  journal.file_.open(path, std::ios::app);
  if (!journal.file_)
    return operator_failure(
        Cause::no_permission,
        fmt::format("cannot write the journal {}; name another file by --journal",
                    printable(path)));
  return journal;
}

void ReplayJournal::write(const auth::Iprev& iprev, WallTime now) {
  const std::int64_t at = std::chrono::floor<seconds>(now.time_since_epoch()).count();
  file_ << boost::json::serialize(object{{"client", iprev.address.text()},
                                         {"at", at},
                                         {"lookups", ledger::lookups_json(iprev)}})
        << std::endl;
}

Result<> ReplayJournal::end() const {
  if (file_) return {};
  return operator_failure(Cause::no_space,
                          fmt::format("cannot write the journal {}: disk full?", printable(path_)));
}

void KnownAnswers::add(const auth::Iprev& iprev) {
  const IpAddress& client = iprev.address;
  if (dns::is_determined(iprev.ptr_status)) {
    dns::Answer& ptr = answers_[key(client.reverse_name(), dns::Type::ptr)];
    ptr = {.status = iprev.ptr_status,
           .secure = iprev.secure,
           .ttl_seconds = iprev.ptr_ttl_seconds,
           .canonical_name = client.reverse_name(),
           .addresses = {},
           .names = {},
           .mail_exchanges = {},
           .texts = {}};
    for (const auth::IprevName& name : iprev.names) ptr.names.push_back(name.name);
  }
  for (const auth::IprevName& name : iprev.names)
    if (name.usable && dns::is_determined(name.status))
      answers_[key(name.name, client.is_v4() ? dns::Type::a : dns::Type::aaaa)] = {
          .status = name.status,
          .secure = name.secure,
          .ttl_seconds = name.ttl_seconds,
          .canonical_name = name.name,
          .addresses = name.addresses,
          .names = {},
          .mail_exchanges = {},
          .texts = {}};
}

io::Task<dns::Answer> KnownAnswers::lookup(std::string name, dns::Type type,
                                           io::Deadline deadline) {
  if (const auto known = answers_.find(key(name, type)); known != answers_.end())
    co_return known->second;
  co_return co_await rest_.lookup(std::move(name), type, deadline);
}

std::string KnownAnswers::key(std::string_view name, dns::Type type) {
  return fmt::format("{} {}", dns::type_name(type), name);
}

}  // namespace postern::app
