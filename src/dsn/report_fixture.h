#pragma once

#include <cstdint>

#include "dsn/compose.h"

/// Facts for the tests of this room.
namespace postern::dsn {

inline WallTime at(std::int64_t unix_seconds) {
  return WallTime{seconds{unix_seconds}};
}

inline RecipientResult refused() {
  return {.final_recipient = "nobody@example.com",
          .original_recipient = "rfc822;no.body@example.com",
          .action = Action::failed,
          .status = "5.1.1",
          .remote_name = "mx.example.com",
          .remote_reply = "550 5.1.1 <nobody@example.com>: no such user here",
          .last_attempt = at(1'790'000'100)};
}

inline RecipientResult expired() {
  return {.final_recipient = "bob@example.com",
          .action = Action::failed,
          .status = "4.4.7",
          .explanation = "connection refused",
          .last_attempt = at(1'790'000'110),
          .lifetime_over = true};
}

inline RecipientResult relayed() {
  return {.final_recipient = "carol@example.com",
          .action = Action::relayed,
          .status = "2.0.0",
          .remote_name = "mx.example.com",
          .remote_reply = "250 2.0.0 queued as 1234",
          .last_attempt = at(1'790'000'111)};
}

inline RecipientResult delayed() {
  return {.final_recipient = "dave@example.com",
          .action = Action::delayed,
          .status = "4.2.0",
          .remote_name = "192.0.2.7",
          .remote_reply = "450 4.2.0 greylisted",
          .last_attempt = at(1'790'000'112),
          .will_retry_until = at(1'790'400'000)};
}

inline Report basic() {
  Report report;
  report.reporting_mta = "gw.example.net";
  report.to = "alice@example.org";
  report.unique = "4F7KQ2";
  report.now = at(1'790'000'123);
  report.arrived = at(1'790'000'000);
  report.received_from = "mail.example.org";
  report.received_address = "192.0.2.25";
  report.queue_id = "0G7K2M4N6P8Q1";
  report.recipients = {refused()};
  report.content =
      "Received: from mail.example.org\r\n by gw.example.net; Tue, 1 Jan 2030 00:00:00 +0000\r\n"
      "From: alice@example.org\r\nSubject: hello\r\nMessage-ID: <1.2@mail.example.org>\r\n\r\n"
      "Body text\r\n";
  report.content_complete = true;
  return report;
}

// A message that came with SMTPUTF8 (RFC 6531).
inline Report international() {
  Report report = basic();
  report.smtputf8 = true;
  report.recipients[0].final_recipient = "j\u00f6rg+x@b\u00fccher.example";
  report.recipients[0].original_recipient = "utf-8;j\\x{F6}rg\\x{2B}x@b\\x{FC}cher.example";
  report.recipients[0].remote_reply = "550 5.1.1 <j\u00f6rg+x@b\u00fccher.example>: no such user";
  report.content =
      "From: alice@example.org\r\nSubject: gr\u00fc\u00df dich\r\n\r\nBody t\u00e9xt\r\n";
  return report;
}

}  // namespace postern::dsn
