#include "dns/zone_text.h"

#include <array>
#include <charconv>
#include <fmt/format.h>

#include "base/text.h"
#include "dns/name.h"

namespace postern::dns {
namespace {

constexpr std::uint32_t ttl_default_seconds = 300;
/// RFC 2181 section 8: a TTL is at most 2^31 - 1.
constexpr std::uint32_t ttl_seconds_max = 0x7fffffff;

constexpr std::array<std::pair<std::string_view, Type>, 6> types{{{"A", Type::a},
                                                                  {"AAAA", Type::aaaa},
                                                                  {"PTR", Type::ptr},
                                                                  {"MX", Type::mx},
                                                                  {"CNAME", Type::cname},
                                                                  {"TXT", Type::txt}}};
constexpr std::array<std::pair<std::string_view, Fault>, 6> faults{{{"NXDOMAIN", Fault::nx_domain},
                                                                    {"NODATA", Fault::no_data},
                                                                    {"SERVFAIL", Fault::serv_fail},
                                                                    {"REFUSED", Fault::refused},
                                                                    {"BOGUS", Fault::bogus},
                                                                    {"TIMEOUT", Fault::timed_out}}};

template <typename Table>
auto find_word(const Table& table, std::string_view word)
    -> std::optional<typename Table::value_type::second_type> {
  for (const auto& [text, value] : table)
    if (equal_ignoring_case(text, word)) return value;
  return std::nullopt;
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct Word {
  std::string text;
  bool quoted = false;
};

/// RFC 1035 section 5.1: words, "quoted strings" with backslash escapes, and a comment after `;`.
/// Escapes outside quotes stay for the name's own reader. False: a quote is not closed.
bool split_words(std::string_view line, std::vector<Word>& words) {
  std::size_t i = 0;
  while (i < line.size()) {
    if (line[i] == ' ' || line[i] == '\t') {
      ++i;
      continue;
    }
    if (line[i] == ';') return true;
    Word word{.text = {}, .quoted = line[i] == '"'};
    if (word.quoted) {
      for (++i; i < line.size() && line[i] != '"'; ++i) {
        if (line[i] == '\\' && i + 1 < line.size()) ++i;
        word.text += line[i];
      }
      if (i == line.size()) return false;
      ++i;
    } else {
      for (; i < line.size() && line[i] != ' ' && line[i] != '\t' && line[i] != ';'; ++i) {
        word.text += line[i];
        if (line[i] == '\\' && i + 1 < line.size()) word.text += line[++i];
      }
    }
    words.push_back(std::move(word));
  }
  return true;
}

/// Reads a zone line by line; `problem` says what is wrong with the line at hand.
class Reader {
 public:
  Result<Zone> read(std::string_view text) {
    int line_number = 0;
    while (!text.empty()) {
      const auto end = text.find('\n');
      std::string_view line = text.substr(0, end);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      ++line_number;
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (!read_line(line))
        return operator_failure(Cause::damaged,
                                fmt::format("zone text, line {}: {}", line_number, problem_));
    }
    return std::move(zone_);
  }

 private:
  bool read_line(std::string_view line) {
    words_.clear();
    if (!split_words(line, words_)) return wrong("a quote is not closed");
    if (words_.empty()) return true;
    next_ = 0;
    if (words_[0].text.starts_with('$')) return read_directive();
    if (line.front() != ' ' && line.front() != '\t') {
      if (!read_owner(words_[next_++].text)) return false;
    } else if (!has_owner_) {
      return wrong("begins with a space, but no name stands above it");
    }
    return read_record();
  }

  bool read_directive() {
    if (words_.size() != 2) return wrong("a directive has one value: $ORIGIN name or $TTL seconds");
    if (equal_ignoring_case(words_[0].text, "$ORIGIN")) {
      const auto origin = absolute(words_[1].text);
      if (!origin) return wrong(fmt::format("\"{}\" is not a domain name", words_[1].text));
      origin_ = *origin;
      return true;
    }
    if (equal_ignoring_case(words_[0].text, "$TTL")) {
      const auto ttl = parse_number<std::uint32_t>(words_[1].text);
      if (!ttl || *ttl > ttl_seconds_max) return wrong("$TTL is not a number of seconds");
      ttl_ = *ttl;
      return true;
    }
    return wrong(fmt::format("unknown directive {}; known are $ORIGIN and $TTL", words_[0].text));
  }

  bool read_owner(const std::string& word) {
    std::optional<std::string> owner;
    if (word.size() > 2 && word.starts_with('[') && word.ends_with(']')) {
      const auto address = IpAddress::parse(std::string_view(word).substr(1, word.size() - 2));
      if (address) owner = address->reverse_name();
    } else {
      owner = absolute(word);
    }
    if (!owner) return wrong(fmt::format("\"{}\" is not a domain name", word));
    owner_ = *owner;
    has_owner_ = true;
    return true;
  }

  bool read_record() {
    record_ = Record{};
    record_.owner = owner_;
    record_.ttl_seconds = ttl_;
    for (; next_ < words_.size(); ++next_) {
      const std::string& word = words_[next_].text;
      if (const auto ttl = parse_number<std::uint32_t>(word); ttl && *ttl <= ttl_seconds_max)
        record_.ttl_seconds = *ttl;
      else if (!equal_ignoring_case(word, "IN"))
        break;
    }
    if (next_ == words_.size()) return wrong("the record's type is missing");
    const std::string type_word = words_[next_++].text;
    if (equal_ignoring_case(type_word, "SOA") || equal_ignoring_case(type_word, "NS")) return true;
    if (const auto fault = find_word(faults, type_word)) {
      zone_.add_fault(owner_, std::nullopt, *fault);
      return next_ == words_.size() || wrong(type_word + " has no value");
    }
    const auto type = find_word(types, type_word);
    if (!type)
      return wrong(fmt::format("unknown record type {}; known are A, AAAA, PTR, MX, CNAME, TXT",
                               printable(type_word, 40)));
    record_.type = *type;
    return read_value();
  }

  bool read_value() {
    if (next_ == words_.size()) return wrong("the record's value is missing");
    const Word& first = words_[next_];
    if (const auto fault = find_word(faults, first.text);
        fault && !first.quoted && next_ + 1 == words_.size()) {
      zone_.add_fault(owner_, record_.type, *fault);
      return true;
    }
    const std::size_t count = words_.size() - next_;
    if (record_.type != Type::txt && count != (record_.type == Type::mx ? 2U : 1U))
      return wrong(record_.type == Type::mx ? "MX wants a preference and a name"
                                            : "wants one value");
    if (!read_typed_value(first.text)) return false;
    zone_.add(record_);
    return true;
  }

  bool read_typed_value(const std::string& value) {
    switch (record_.type) {
      case Type::a:
      case Type::aaaa: {
        const auto address = IpAddress::parse(value);
        if (!address || address->is_v4() != (record_.type == Type::a))
          return wrong(fmt::format("\"{}\" is not an address of that type", value));
        record_.address = *address;
        return true;
      }
      case Type::mx: {
        const auto preference = parse_number<std::uint16_t>(value);
        if (!preference) return wrong("the MX preference is not a number below 65536");
        record_.preference = *preference;
        return read_target(words_[next_ + 1].text);
      }
      case Type::ptr:
      case Type::cname:
        return read_target(value);
      case Type::txt:
        for (; next_ < words_.size(); ++next_) record_.text += words_[next_].text;
        return true;
    }
    return false;
  }

  bool read_target(const std::string& word) {
    const auto name = absolute(word);
    if (!name) return wrong(fmt::format("\"{}\" is not a domain name", word));
    record_.name = *name;
    return true;
  }

  [[nodiscard]] std::optional<std::string> absolute(const std::string& word) const {
    if (word == "@") return origin_;
    if (word.ends_with('.') || origin_.empty()) return normalize_name(word);
    return normalize_name(word + "." + origin_);
  }

  bool wrong(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  Zone zone_;
  std::vector<Word> words_;
  std::size_t next_ = 0;
  Record record_;
  std::string origin_;
  std::string owner_;
  bool has_owner_ = false;
  std::uint32_t ttl_ = ttl_default_seconds;
  std::string problem_;
};

}  // namespace

std::string_view fault_name(Fault fault) {
  for (const auto& [text, value] : faults)
    if (value == fault) return text;
  return "?";
}

Result<Zone> Zone::parse(std::string_view text) {
  return Reader().read(text);
}

void Zone::note_ancestors(std::string_view name) {
  for (name = parent_name(name); !name.empty(); name = parent_name(name))
    ancestors_.try_emplace(std::string(name), true);
}

void Zone::add(Record record) {
  note_ancestors(record.owner);
  auto& records = names_[record.owner].records;
  records.push_back(std::move(record));
}

void Zone::add_fault(std::string name, std::optional<Type> type, Fault fault) {
  if (fault != Fault::nx_domain) note_ancestors(name);
  ZoneName& zone_name = names_[std::move(name)];
  if (type)
    zone_name.type_fault[*type] = fault;
  else
    zone_name.fault = fault;
}

void Zone::add(const Zone& other) {
  for (const auto& [name, zone_name] : other.names_) {
    for (const Record& record : zone_name.records) add(record);
    if (zone_name.fault) add_fault(name, std::nullopt, *zone_name.fault);
    for (const auto& [type, fault] : zone_name.type_fault) add_fault(name, type, fault);
  }
}

bool Zone::exists(std::string_view name) const {
  return names_.contains(name) || ancestors_.contains(name);
}

const ZoneName* Zone::find_name(std::string_view name) const {
  if (const auto found = names_.find(name); found != names_.end()) return &found->second;
  if (ancestors_.contains(name)) return nullptr;
  // RFC 4592 section 2.2.1: the wildcard of the closest ancestor that exists, and no other.
  for (auto above = name; !above.empty();) {
    above = parent_name(above);
    const std::string wildcard = above.empty() ? "*" : "*." + std::string(above);
    if (const auto found = names_.find(wildcard); found != names_.end()) return &found->second;
    if (exists(above)) return nullptr;
  }
  return nullptr;
}

ZoneMatch Zone::find(std::string_view name, Type type) const {
  ZoneMatch match;
  const ZoneName* found = find_name(name);
  match.known = found != nullptr || exists(name);
  if (found == nullptr) {
    match.fault = exists(name) ? Fault::no_data : Fault::nx_domain;
    return match;
  }
  match.fault = found->fault.value_or(Fault::no_data);
  if (found->fault) return match;
  if (const auto fault = found->type_fault.find(type); fault != found->type_fault.end()) {
    match.fault = fault->second;
    return match;
  }
  for (const Record& record : found->records)
    if (record.type == type) match.records.push_back(record);
  if (!match.records.empty()) return match;
  // RFC 1034 section 3.6.2: a CNAME answers for every other type.
  for (const Record& record : found->records) {
    if (record.type != Type::cname) continue;
    match.records.push_back(record);
    break;
  }
  return match;
}

}  // namespace postern::dns
