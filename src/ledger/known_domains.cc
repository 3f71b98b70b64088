#include "ledger/known_domains.h"

#include "base/text.h"

namespace postern::ledger {

void KnownDomains::ask_about(const IpAddress& client, const LoggedClient& seen) {
  for (const std::string& sender : seen.senders) {
    const std::size_t at = sender.rfind('@');
    if (at != std::string::npos)
      asked_[to_lower(std::string_view(sender).substr(at + 1))].push_back({client, seen.name});
  }
}

void KnownDomains::add(std::string_view confirmed_name) {
  for (std::string_view domain = confirmed_name; domain.contains('.');
       domain.remove_prefix(domain.find('.') + 1))
    if (const auto asked = asked_.find(std::string(domain)); asked != asked_.end())
      for (const Asking& asking : asked->second)
        if (confirmed_name != asking.name)
          found_[asking.client] = {std::string(domain), std::string(confirmed_name)};
}

const KnownDomains::Server* KnownDomains::server_for(const IpAddress& client) const {
  const auto found = found_.find(client);
  return found == found_.end() ? nullptr : &found->second;
}

}  // namespace postern::ledger
