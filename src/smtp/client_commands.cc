#include "smtp/client_commands.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "smtp/xtext.h"

namespace postern::smtp {
namespace {

void append_number(std::string& out, std::uint64_t value) {
  char digits[20];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, static_cast<std::size_t>(end - digits));
}

void read_size(std::string_view parameter, ServerExtensions& offered) {
  // RFC 1870 section 4: no number, or 0, means that no fixed limit is in force.
  offered.size = true;
  std::uint64_t value = 0;
  const auto text = trim(parameter);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size()) offered.size_bytes_max = value;
}

void append_notify(std::string& out, const mail::DsnNotify& notify) {
  out += " NOTIFY=";
  // RFC 3461 section 4.1: NEVER stands alone.
  if (notify.never) {
    out += "NEVER";
    return;
  }
  const char* separator = "";
  const auto add = [&](bool wanted, std::string_view keyword) {
    if (!wanted) return;
    out += separator;
    out += keyword;
    separator = ",";
  };
  add(notify.success, "SUCCESS");
  add(notify.failure, "FAILURE");
  add(notify.delay, "DELAY");
}

void append_original_recipient(std::string& out, std::string_view original) {
  const auto semicolon = original.find(';');
  if (semicolon == std::string_view::npos) return;
  const auto type = original.substr(0, semicolon);
  const bool atom =
      !type.empty() && std::ranges::all_of(type, [](char c) { return ascii_alnum(c) || c == '-'; });
  if (!atom) return;
  out += " ORCPT=";
  out += type;
  out += ';';
  out += encode_xtext(original.substr(semicolon + 1));
}

}  // namespace

ServerExtensions parse_extensions(const Reply& reply) {
  ServerExtensions offered;
  for (std::size_t i = 1; i < reply.lines.size(); ++i) {
    const std::string_view line = trim(reply.lines[i]);
    const auto keyword = line.substr(0, line.find(' '));
    const auto parameter = line.substr(keyword.size());
    if (equal_ignoring_case(keyword, "PIPELINING")) offered.pipelining = true;
    if (equal_ignoring_case(keyword, "8BITMIME")) offered.eight_bit_mime = true;
    if (equal_ignoring_case(keyword, "DSN")) offered.dsn = true;
    if (equal_ignoring_case(keyword, "STARTTLS")) offered.starttls = true;
    if (equal_ignoring_case(keyword, "SMTPUTF8")) offered.smtputf8 = true;
    if (equal_ignoring_case(keyword, "SIZE")) read_size(parameter, offered);
  }
  return offered;
}

void append_mail(std::string& out, const MailParameters& mail, const ServerExtensions& offered) {
  out += "MAIL FROM:<";
  out += mail.reverse_path;
  out += '>';
  if (offered.size && mail.size_bytes > 0) {
    out += " SIZE=";
    append_number(out, mail.size_bytes);
  }
  // DEVIATION(RFC 6152 section 3): to a server without 8BITMIME an 8-bit message goes as it is,
  // without BODY, instead of being re-encoded or refused. Re-encoding would break signatures (DKIM)
  // and refusing would lose mail that practically every server carries intact; Postfix does the
  // same with disable_mime_output_conversion.
  if (offered.eight_bit_mime && mail.body == mail::BodyType::eight_bit_mime)
    out += " BODY=8BITMIME";
  if (offered.smtputf8 && mail.smtputf8) out += " SMTPUTF8";
  // RFC 3461 section 5.2.1: what the sender asked for is passed on to a server that knows DSN.
  if (offered.dsn) {
    if (mail.dsn_return == mail::DsnReturn::full) out += " RET=FULL";
    if (mail.dsn_return == mail::DsnReturn::headers) out += " RET=HDRS";
    if (!mail.envelope_id.empty()) {
      out += " ENVID=";
      out += encode_xtext(mail.envelope_id);
    }
  }
  out += "\r\n";
}

void append_rcpt(std::string& out, const mail::Recipient& recipient,
                 const ServerExtensions& offered) {
  out += "RCPT TO:<";
  out += recipient.address;
  out += '>';
  if (offered.dsn) {
    const auto& notify = recipient.notify;
    if (notify.specified && (notify.never || notify.success || notify.failure || notify.delay))
      append_notify(out, notify);
    if (!recipient.original_recipient.empty())
      append_original_recipient(out, recipient.original_recipient);
  }
  out += "\r\n";
}

bool is_safe_address(std::string_view address) {
  // RFC 5321 section 4.5.3.1.3 allows 256; twice as much is still a sane command line.
  constexpr std::size_t address_bytes_max = 512;
  if (address.size() > address_bytes_max) return false;
  bool quoted = false;
  for (std::size_t i = 0; i < address.size(); ++i) {
    const char c = address[i];
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
    if (c == '\\' && quoted && i + 1 < address.size() &&
        static_cast<unsigned char>(address[i + 1]) >= 0x20) {
      ++i;
      continue;
    }
    if (c == '"') quoted = !quoted;
    if (!quoted && (c == '<' || c == '>' || c == ' ')) return false;
  }
  return !quoted;
}

}  // namespace postern::smtp
