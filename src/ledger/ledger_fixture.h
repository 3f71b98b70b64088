#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "ledger/recorder.h"
#include "ledger/sqlite.h"

namespace postern::ledger {

/// For the tests of the ledger: what sessions tell, a directory, and a look into the file.
inline const WallTime noon(
    std::chrono::sys_days(std::chrono::year(2026) / 11 / 24).time_since_epoch() +
    std::chrono::hours(12));

inline std::shared_ptr<const auth::Iprev> no_ptr_lookups(std::string_view client) {
  auto lookups = std::make_shared<auth::Iprev>();
  lookups->address = *IpAddress::parse(client);
  lookups->result = auth::IprevResult::fail;
  lookups->ptr_status = dns::Status::nx_domain;
  return lookups;
}

inline Refusal refusal(Duration after, std::string_view client, std::string recipient,
                       std::shared_ptr<const auth::Iprev> lookups = nullptr) {
  if (lookups == nullptr) lookups = no_ptr_lookups(client);
  return {.time = noon + after,
          .case_id = "4F7KQ2",
          .client = *IpAddress::parse(client),
          .via = {},
          .greeting = upstream::Greeting::ehlo,
          .helo = "mail.example.com",
          .sender = "ann@example.com",
          .recipient = std::move(recipient),
          .message = 1,
          .state = "no_ptr",
          .action = "450",
          .effect = Effect::refused,
          .reply = "450 4.7.25 Client host rejected",
          .override_name = {},
          .observed_because = {},
          .escalated = false,
          .latency = std::chrono::milliseconds(12),
          .lookups = std::move(lookups)};
}

inline Acceptance acceptance(Duration after, std::string_view client, std::string recipient) {
  return {.time = noon + after,
          .client = *IpAddress::parse(client),
          .greeting = upstream::Greeting::ehlo,
          .helo = "mail.example.com",
          .confirmed_name = "mail.example.com",
          .sender = "ann@example.com",
          .recipient = std::move(recipient)};
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "postern-ledger-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string database() const { return path_ + "/ledger.db"; }

 private:
  std::string path_;
};

/// The number that a query gives of a database's file, by a connection of its own; -1: none.
inline std::int64_t number_in(const std::string& path, std::string_view sql) {
  auto database = Database::open(path, Database::Access::read_only);
  return database ? database->number(sql).value_or(-1) : -1;
}

}  // namespace postern::ledger
