#include "dns/testing/manners.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <sstream>
#include <vector>

#include "base/ip.h"
#include "dns/name.h"

namespace postern::dns {
namespace {

constexpr std::array<std::pair<std::string_view, std::uint16_t>, 6> types{
    {{"*", 0}, {"A", 1}, {"PTR", 12}, {"AAAA", 28}, {"CNAME", 5}, {"DNSKEY", 48}}};

constexpr std::array<std::pair<std::string_view, bool Manner::*>, 18> words{
    {{"TRUNCATED", &Manner::truncated},
     {"OVERSIZED", &Manner::oversized},
     {"TCP-CLOSED", &Manner::tcp_closed},
     {"LAME", &Manner::lame},
     {"FORGED-ID", &Manner::forged_id},
     {"FORGED-QUESTION", &Manner::forged_question},
     {"ONLY-FORGED", &Manner::only_forged},
     {"ADDITIONAL", &Manner::additional},
     {"IN-ANSWER", &Manner::in_answer},
     {"POINTER-LOOP", &Manner::pointer_loop},
     {"VALUE-LOOP", &Manner::value_loop},
     {"POINTER-BEYOND", &Manner::beyond},
     {"VALUE-TOO-LONG", &Manner::value_too_long},
     {"TWICE", &Manner::twice},
     {"NO-SOA", &Manner::without_soa},
     {"UNSIGNED", &Manner::unsigned_},
     {"BAD-SIGNATURE", &Manner::bad_signature},
     {"EXPIRED", &Manner::expired}}};

/// Sets what a word with a number means. False: there is no such word.
bool set_number(Manner& manner, std::string_view word, std::uint32_t number) {
  if (word == "LOST")
    manner.lost = number;
  else if (word == "DELAY")
    manner.delay = std::chrono::milliseconds(number);
  else if (word == "CODE")
    manner.code = number;
  else if (word == "EDNS-CODE")
    manner.edns_code = number;
  else if (word == "CUT")
    manner.cut = number;
  else if (word == "TTL")
    manner.ttl = number;
  else if (word == "SOA-MINIMUM")
    manner.soa_minimum = number;
  else
    return false;
  return true;
}

std::optional<std::string> owner_of(const std::string& word) {
  if (!word.starts_with('[') || !word.ends_with(']')) return normalize_name(word);
  const auto address = IpAddress::parse(std::string_view(word).substr(1, word.size() - 2));
  if (!address) return std::nullopt;
  return address->reverse_name();
}

}  // namespace

Result<> Manners::read_line(std::string_view line) {
  std::istringstream in{std::string(line)};
  std::vector<std::string> parts;
  for (std::string part; in >> part;) parts.push_back(part);
  if (parts.empty()) return {};
  const auto wrong = [&line](std::string_view what) {
    return operator_failure(Cause::damaged, fmt::format("manners, \"{}\": {}", line, what));
  };
  if (parts.size() < 3) return wrong("wants a name, a type and a word");
  const auto owner = owner_of(parts[0]);
  if (!owner) return wrong("no domain name");
  if (parts[2] == "DNAME") {
    const auto target = normalize_name(parts.size() > 3 ? parts[3] : "");
    if (!target || target->empty()) return wrong("DNAME wants a target");
    dnames_.emplace(*owner, *target);
    return {};
  }
  const auto* const type = std::ranges::find(types, parts[1], &decltype(types)::value_type::first);
  if (type == types.end()) return wrong("unknown type");
  Manner& manner = manners_[{*owner, type->second}];
  const auto* const word = std::ranges::find(words, parts[2], &decltype(words)::value_type::first);
  if (word != words.end() && parts.size() == 3) {
    manner.*(word->second) = true;
    return {};
  }
  std::uint32_t number = 0;
  const std::string text = parts.size() == 4 ? parts[3] : "";
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() ||
      !set_number(manner, parts[2], number))
    return wrong("unknown word, or no number after it");
  return {};
}

Result<Manners> Manners::parse(std::string_view text) {
  Manners manners;
  while (!text.empty()) {
    const auto end = text.find('\n');
    TRY_VOID(manners.read_line(text.substr(0, end)));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return manners;
}

const Manner& Manners::find(const std::string& name, std::uint16_t type) const {
  static const Manner well_behaved;
  auto found = manners_.find({name, type});
  if (found == manners_.end()) found = manners_.find({name, 0});
  return found == manners_.end() ? well_behaved : found->second;
}

const std::pair<const std::string, std::string>* Manners::dname_above(std::string_view name) const {
  // RFC 6672 section 2.3: the owner of a DNAME is not redirected itself, only what is below it.
  for (name = parent_name(name); !name.empty(); name = parent_name(name))
    if (const auto found = dnames_.find(std::string(name)); found != dnames_.end()) return &*found;
  return nullptr;
}

}  // namespace postern::dns
