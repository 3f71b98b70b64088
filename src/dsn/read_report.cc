#include "dsn/read_report.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include "base/text.h"
#include "mail/header_reader.h"

namespace postern::dsn {
namespace {

using Failure = std::unexpected<std::string>;
constexpr std::size_t parts_max = 4;
constexpr std::size_t value_bytes_max = 64 * 1024;

// A Content-Type: "multipart/report" and its parameters, names and type in lower case.
struct ContentType {
  std::string type;
  StatusFields parameters;
};

// RFC 2045 section 5.1: type, then ";name=value" where the value may be quoted.
ContentType parse_content_type(std::string_view value) {
  ContentType parsed;
  const auto semicolon = std::min(value.find(';'), value.size());
  parsed.type = to_lower(trim(value.substr(0, semicolon)));
  value.remove_prefix(semicolon);
  while (value.starts_with(';')) {
    value.remove_prefix(1);
    const auto equals = value.find('=');
    if (equals == std::string_view::npos) break;
    const std::string name = to_lower(trim(value.substr(0, equals)));
    value = trim(value.substr(equals + 1));
    std::string text;
    if (value.starts_with('"')) {
      value.remove_prefix(1);
      while (!value.empty() && value[0] != '"') {
        if (value[0] == '\\' && value.size() > 1) value.remove_prefix(1);
        text += value[0];
        value.remove_prefix(1);
      }
      value = trim(value.substr(std::min<std::size_t>(1, value.size())));
    } else {
      const auto end = std::min(value.find(';'), value.size());
      text = trim(value.substr(0, end));
      value.remove_prefix(end);
    }
    parsed.parameters.emplace_back(name, std::move(text));
  }
  return parsed;
}

struct Entity {
  StatusFields header;
  std::string_view body;
};

Entity parse_entity(std::string_view text) {
  Entity entity;
  mail::HeaderReader reader(text);
  while (const auto field = reader.next())
    entity.header.emplace_back(to_lower(field->name), mail::unfold(field->value, value_bytes_max));
  entity.body = text.substr(reader.body_offset());
  return entity;
}

// The bytes between the boundary lines, or nothing when the closing one is missing.
std::optional<std::vector<std::string_view>> split(std::string_view body,
                                                   std::string_view boundary) {
  const std::string delimiter = fmt::format("--{}", boundary);
  std::vector<std::string_view> parts;
  std::optional<std::size_t> part_start;
  for (std::size_t at = 0; at < body.size();) {
    const auto end = body.find("\r\n", at);
    const auto line = body.substr(at, end == std::string_view::npos ? end : end - at);
    if (line.starts_with(delimiter)) {
      const auto rest = line.substr(delimiter.size());
      // RFC 2046 section 5.1.1: the line end before the delimiter belongs to it.
      if (part_start)
        parts.push_back(body.substr(*part_start, at - *part_start >= 2 ? at - *part_start - 2 : 0));
      if (rest.starts_with("--")) return parts;
      if (end == std::string_view::npos || parts.size() >= parts_max) return std::nullopt;
      part_start = end + 2;
    }
    if (end == std::string_view::npos) break;
    at = end + 2;
  }
  return std::nullopt;
}

int hex_digit(char c) {
  if (ascii_digit(c)) return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// RFC 2045 section 6.7.
std::optional<std::string> decode_quoted_printable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '=') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const std::string_view next = text.substr(i + 1, 2);
    i += 2;
    if (next == "\r\n") continue;
    const int high = hex_digit(next[0]);
    const int low = hex_digit(next[1]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

std::optional<std::string> decoded(const Entity& entity) {
  const std::string encoding = to_lower(trim(field_of(entity.header, "content-transfer-encoding")));
  if (encoding == "quoted-printable") return decode_quoted_printable(entity.body);
  if (encoding.empty() || encoding == "7bit" || encoding == "8bit") return std::string(entity.body);
  return std::nullopt;
}

std::expected<std::vector<StatusFields>, std::string> parse_blocks(std::string_view text) {
  std::vector<StatusFields> blocks;
  while (!text.empty()) {
    Entity block = parse_entity(text);
    if (block.header.empty()) {
      // RFC 3464 section 2.1: blocks are apart by one empty line.
      return Failure(fmt::format("no field where one was expected: \"{}\"",
                                 printable(text.substr(0, text.find("\r\n")), 60)));
    }
    if (blocks.size() > read_recipients_max) return Failure("too many recipients");
    blocks.push_back(std::move(block.header));
    text = block.body;
  }
  return blocks;
}

std::optional<std::string> lacks(const StatusFields& fields,
                                 std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (std::ranges::count(fields, name,
                           [](const auto& f) -> std::string_view { return f.first; }) != 1)
      return fmt::format("{} must stand there once in each block", name);
  return std::nullopt;
}

std::optional<std::string> take_status(std::string_view text, ReadReport& report) {
  auto blocks = parse_blocks(text);
  if (!blocks) return blocks.error();
  if (blocks->size() < 2) return "no recipient is reported";
  if (auto fault = lacks(blocks->front(), {"reporting-mta"})) return fault;
  report.message = std::move(blocks->front());
  blocks->erase(blocks->begin());
  for (const StatusFields& block : *blocks)
    if (auto fault = lacks(block, {"final-recipient", "action", "status"})) return fault;
  report.recipients = std::move(*blocks);
  return std::nullopt;
}

}  // namespace

std::string_view field_of(const StatusFields& fields, std::string_view name) {
  for (const auto& [known, value] : fields)
    if (equal_ignoring_case(known, name)) return value;
  return {};
}

std::expected<ReadReport, std::string> read_report(std::string_view message) {
  const Entity whole = parse_entity(message);
  const ContentType type = parse_content_type(field_of(whole.header, "content-type"));
  if (type.type != "multipart/report") return Failure("Content-Type is not multipart/report");
  if (!equal_ignoring_case(field_of(type.parameters, "report-type"), "delivery-status"))
    return Failure("report-type is not delivery-status");
  const std::string_view boundary = field_of(type.parameters, "boundary");
  if (boundary.empty()) return Failure("there is no boundary");
  const auto parts = split(whole.body, boundary);
  if (!parts) return Failure("the parts do not end");
  // RFC 6522 section 3: two parts, and the original as a third one, which may be left out.
  if (parts->size() != 2 && parts->size() != 3)
    return Failure(fmt::format("there are {} parts", parts->size()));

  ReadReport report;
  std::vector<std::string> texts;
  std::vector<std::string> types;
  for (const std::string_view part : *parts) {
    const Entity entity = parse_entity(part);
    auto text = decoded(entity);
    if (!text) return Failure("a part's transfer encoding is not understood");
    texts.push_back(*std::move(text));
    types.push_back(parse_content_type(field_of(entity.header, "content-type")).type);
  }
  report.human = std::move(texts[0]);
  if (types[1] != "message/delivery-status" && types[1] != "message/global-delivery-status")
    return Failure("the second part is not message/delivery-status");
  if (auto fault = take_status(texts[1], report)) return Failure(*std::move(fault));
  if (texts.size() == 3) {
    report.returned = std::move(texts[2]);
    report.returned_type = std::move(types[2]);
  }
  return report;
}

}  // namespace postern::dsn
