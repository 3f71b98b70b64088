#include "smtp/command.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/text.h"
#include "smtp/limits.h"
#include "smtp/xtext.h"

namespace postern::smtp {
namespace {

constexpr EnhancedStatus syntax_error{5, 5, 2};
constexpr EnhancedStatus bad_argument{5, 5, 4};
constexpr EnhancedStatus bad_sender{5, 1, 7};
constexpr EnhancedStatus bad_recipient{5, 1, 3};
constexpr EnhancedStatus non_ascii_address{5, 6, 7};

using MaybeError = std::optional<Reply>;

constexpr std::array<std::pair<std::string_view, Verb>, 29> verbs{{
    {"HELO", Verb::helo},        {"EHLO", Verb::ehlo},         {"MAIL", Verb::mail},
    {"RCPT", Verb::rcpt},        {"DATA", Verb::data},         {"RSET", Verb::rset},
    {"NOOP", Verb::noop},        {"VRFY", Verb::vrfy},         {"HELP", Verb::help},
    {"QUIT", Verb::quit},        {"STARTTLS", Verb::starttls}, {"EXPN", Verb::not_offered},
    {"TURN", Verb::not_offered}, {"ETRN", Verb::not_offered},  {"ATRN", Verb::not_offered},
    {"SEND", Verb::not_offered}, {"SOML", Verb::not_offered},  {"SAML", Verb::not_offered},
    {"AUTH", Verb::not_offered}, {"BDAT", Verb::not_offered},  {"BURL", Verb::not_offered},
    {"XCLIENT", Verb::xclient},  {"XFORWARD", Verb::xforward}, {"LHLO", Verb::not_offered},
    {"GET", Verb::foreign},      {"POST", Verb::foreign},      {"CONNECT", Verb::foreign},
    {"HEAD", Verb::foreign},     {"PROXY", Verb::foreign},
}};

Reply address_refusal(mail::AddressError error, EnhancedStatus status, std::string_view what) {
  switch (error) {
    case mail::AddressError::non_ascii:
      // RFC 6531 section 3.5: 553 with 5.6.7 where the extension does not apply.
      return {553, non_ascii_address,
              "Addresses beyond ASCII need SMTPUTF8, which is not offered here"};
    case mail::AddressError::too_long:
      return {501, status, std::string(what) + " is too long"};
    case mail::AddressError::syntax:
      break;
  }
  return {501, status, std::string(what) + " is not an address in the form <user@example.com>"};
}

/// "FROM:" or "TO:" and the path behind it; the rest are the parameters.
std::optional<std::string_view> behind_keyword(std::string_view argument,
                                               std::string_view keyword) {
  if (!starts_with_ignoring_case(argument, keyword)) return std::nullopt;
  argument.remove_prefix(keyword.size());
  // DEVIATION(RFC 5321 section 3.3): no blank may stand behind the colon, yet many programs write
  // one, and it means nothing else.
  return trim(argument);
}

struct Parameter {
  std::string_view keyword;
  std::string_view value;
  bool has_value = false;
};

/// RFC 5321 section 4.1.2: esmtp-param, taken off the front; an error for what is none.
std::expected<Parameter, Reply> take_parameter(std::string_view& rest) {
  const std::string_view text = rest.substr(0, rest.find(' '));
  rest.remove_prefix(text.size());
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  const std::size_t equals = text.find('=');
  Parameter parameter{text.substr(0, equals), {}, equals != std::string_view::npos};
  if (parameter.has_value) parameter.value = text.substr(equals + 1);
  const bool good =
      !parameter.keyword.empty() && ascii_alnum(parameter.keyword.front()) &&
      std::ranges::all_of(parameter.keyword, [](char c) { return ascii_alnum(c) || c == '-'; }) &&
      (!parameter.has_value || !parameter.value.empty());
  if (!good)
    return std::unexpected(
        Reply(501, bad_argument, "A parameter is not in the form KEYWORD=VALUE"));
  return parameter;
}

Reply bad_value(std::string_view keyword) {
  return {501, bad_argument, "Bad value of parameter " + std::string(keyword)};
}

/// RFC 1870 section 4: size-value = 1*20DIGIT. Beyond 64 bits it is as large as can be.
std::optional<std::uint64_t> parse_size(std::string_view text) {
  if (text.empty() || text.size() > 20 || !std::ranges::all_of(text, ascii_digit))
    return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) return UINT64_MAX;
  return value;
}

/// RFC 3461 section 4.2 and 4.4: the decoded text is printable US-ASCII; otherwise a report that
/// quotes it could be broken into other lines.
std::optional<std::string> decode_printable(std::string_view xtext) {
  auto text = decode_xtext(xtext);
  if (!text || text->empty() || !std::ranges::all_of(*text, ascii_printable)) return std::nullopt;
  return text;
}

bool set_once(bool& seen) {
  return !std::exchange(seen, true);
}

/// Reads MAIL's parameters one after the other.
class MailParameters {
 public:
  explicit MailParameters(MailCommand& command) : command_(command) {}

  MaybeError take(const Parameter& parameter) {
    const std::string_view keyword = parameter.keyword;
    if (equal_ignoring_case(keyword, "SIZE"))
      return check(set_once(size_) && size(parameter), keyword);
    if (equal_ignoring_case(keyword, "BODY"))
      return check(set_once(body_) && body(parameter), keyword);
    if (equal_ignoring_case(keyword, "RET"))
      return check(set_once(ret_) && ret(parameter), keyword);
    if (equal_ignoring_case(keyword, "ENVID"))
      return check(set_once(envid_) && envid(parameter), keyword);
    // RFC 5321 section 4.1.1.11: an unknown parameter is answered with 555.
    return Reply(555, bad_argument, "Parameter " + std::string(keyword) + " is not supported");
  }

 private:
  static MaybeError check(bool good, std::string_view keyword) {
    return good ? MaybeError() : bad_value(keyword);
  }
  bool size(const Parameter& parameter) {
    command_.size_bytes = parse_size(parameter.value);
    return command_.size_bytes.has_value();
  }
  bool body(const Parameter& parameter) {
    // RFC 6152 section 2: BODY=7BIT or BODY=8BITMIME.
    if (equal_ignoring_case(parameter.value, "8BITMIME"))
      command_.envelope.body = mail::BodyType::eight_bit_mime;
    else
      return equal_ignoring_case(parameter.value, "7BIT");
    return true;
  }
  bool ret(const Parameter& parameter) {
    // RFC 3461 section 4.3: RET=FULL or RET=HDRS.
    if (equal_ignoring_case(parameter.value, "FULL"))
      command_.envelope.dsn_return = mail::DsnReturn::full;
    else if (equal_ignoring_case(parameter.value, "HDRS"))
      command_.envelope.dsn_return = mail::DsnReturn::headers;
    else
      return false;
    return true;
  }
  bool envid(const Parameter& parameter) {
    if (parameter.value.size() > envelope_id_bytes_max) return false;
    auto id = decode_printable(parameter.value);
    if (!id) return false;
    command_.envelope.envelope_id = *std::move(id);
    return true;
  }

  MailCommand& command_;
  bool size_ = false;
  bool body_ = false;
  bool ret_ = false;
  bool envid_ = false;
};

/// RFC 3461 section 4.1: NEVER alone, or a list of SUCCESS, FAILURE and DELAY.
bool parse_notify(std::string_view value, mail::DsnNotify& notify) {
  notify.specified = true;
  if (equal_ignoring_case(value, "NEVER")) {
    notify.never = true;
    return true;
  }
  while (true) {
    const std::size_t comma = value.find(',');
    const std::string_view word = value.substr(0, comma);
    if (equal_ignoring_case(word, "SUCCESS"))
      notify.success = true;
    else if (equal_ignoring_case(word, "FAILURE"))
      notify.failure = true;
    else if (equal_ignoring_case(word, "DELAY"))
      notify.delay = true;
    else
      return false;
    if (comma == std::string_view::npos) return true;
    value.remove_prefix(comma + 1);
  }
}

/// RFC 3461 section 4.2: addr-type ";" xtext.
std::optional<std::string> parse_original_recipient(std::string_view value) {
  if (value.size() > original_recipient_bytes_max) return std::nullopt;
  const std::size_t semicolon = value.find(';');
  if (semicolon == std::string_view::npos || semicolon == 0) return std::nullopt;
  const std::string_view type = value.substr(0, semicolon);
  if (!std::ranges::all_of(type, [](char c) { return ascii_alnum(c) || c == '-'; }))
    return std::nullopt;
  const auto address = decode_printable(value.substr(semicolon + 1));
  if (!address) return std::nullopt;
  return std::string(type) + ";" + *address;
}

class RcptParameters {
 public:
  explicit RcptParameters(mail::Recipient& recipient) : recipient_(recipient) {}

  MaybeError take(const Parameter& parameter) {
    const std::string_view keyword = parameter.keyword;
    if (equal_ignoring_case(keyword, "NOTIFY")) {
      if (!set_once(notify_) || !parse_notify(parameter.value, recipient_.notify))
        return bad_value(keyword);
      return {};
    }
    if (equal_ignoring_case(keyword, "ORCPT")) {
      auto original = parse_original_recipient(parameter.value);
      if (!set_once(orcpt_) || !original) return bad_value(keyword);
      recipient_.original_recipient = *std::move(original);
      return {};
    }
    // RFC 5321 section 4.1.1.11: an unknown parameter is answered with 555.
    return Reply(555, bad_argument, "Parameter " + std::string(keyword) + " is not supported");
  }

 private:
  mail::Recipient& recipient_;
  bool notify_ = false;
  bool orcpt_ = false;
};

template <typename Parameters>
MaybeError take_parameters(std::string_view rest, Greeting greeting, Parameters parameters) {
  if (!rest.empty() && !rest.starts_with(' '))
    return Reply(501, bad_argument, "A blank must stand behind the address");
  rest = trim(rest);
  // RFC 5321 section 4.1.1.11: parameters belong to extensions, which HELO does not turn on.
  if (!rest.empty() && greeting != Greeting::ehlo)
    return Reply(555, bad_argument, "Parameters need EHLO");
  while (!rest.empty()) {
    const auto parameter = take_parameter(rest);
    if (!parameter) return parameter.error();
    if (auto error = parameters.take(*parameter)) return error;
  }
  return {};
}

}  // namespace

Command split_command(std::string_view line) {
  // RFC 5321 section 4.1.1: blanks at the end of a line are tolerated.
  while (line.ends_with(' ')) line.remove_suffix(1);
  const std::size_t blank = line.find(' ');
  const std::string_view word = line.substr(0, blank);
  Command command;
  if (blank != std::string_view::npos) command.argument = line.substr(blank + 1);
  for (const auto& [name, verb] : verbs)
    if (equal_ignoring_case(word, name)) command.verb = verb;
  return command;
}

std::expected<MailCommand, Reply> parse_mail(std::string_view argument, Greeting greeting) {
  const auto text = behind_keyword(argument, "FROM:");
  if (!text) return std::unexpected(Reply(501, syntax_error, "Syntax: MAIL FROM:<address>"));
  auto path = mail::parse_reverse_path(*text);
  if (!path) return std::unexpected(address_refusal(path.error(), bad_sender, "The sender"));
  MailCommand command;
  command.envelope.reverse_path = path->null ? "" : path->mailbox.address();
  if (auto error = take_parameters(text->substr(path->length), greeting, MailParameters(command)))
    return std::unexpected(*std::move(error));
  return command;
}

std::expected<RcptCommand, Reply> parse_rcpt(std::string_view argument, Greeting greeting) {
  const auto text = behind_keyword(argument, "TO:");
  if (!text) return std::unexpected(Reply(501, syntax_error, "Syntax: RCPT TO:<address>"));
  auto path = mail::parse_forward_path(*text);
  if (!path) return std::unexpected(address_refusal(path.error(), bad_recipient, "The recipient"));
  RcptCommand command;
  command.recipient.address = path->mailbox.address();
  command.mailbox = std::move(path->mailbox);
  RcptParameters parameters(command.recipient);
  if (auto error = take_parameters(text->substr(path->length), greeting, parameters))
    return std::unexpected(*std::move(error));
  return command;
}

std::expected<std::string, Reply> parse_helo(std::string_view argument) {
  const bool good = !argument.empty() && argument.size() <= mail::domain_bytes_max &&
                    std::ranges::all_of(argument, [](char c) { return c > 0x20 && c < 0x7f; });
  if (!good)
    return std::unexpected(Reply(501, bad_argument, "Syntax: HELO or EHLO and your host name"));
  return std::string(argument);
}

}  // namespace postern::smtp
