#pragma once

// For tests of what reads the ledger: a database that the test fills as the server would.

#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>

#include <boost/json/serialize.hpp>

#include "base/check.h"
#include "ledger/archive.h"
#include "ledger/case_index.h"
#include "ledger/lookups_json.h"
#include "ledger/schema.h"

namespace postern::ledger {

class ArchiveFixture : public testing::Test {
 protected:
  ArchiveFixture() {
    std::filesystem::remove(path_);
    auto opened = Database::open(path_, Database::Access::create);
    CHECK(opened.has_value());
    database_.emplace(*std::move(opened));
    CHECK(database_->execute("PRAGMA journal_mode = WAL").has_value());
    CHECK(migrate(*database_).has_value());
  }
  ~ArchiveFixture() override {
    database_.reset();
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
  }

  void run(std::string_view sql) {
    const auto done = database_->execute(std::string(sql));
    CHECK(done.has_value());
  }
  template <typename... Values>
  void insert(std::string_view sql, const Values&... values) {
    auto statement = database_->prepare(sql);
    CHECK(statement.has_value());
    statement->bind(values...);
    CHECK(statement->run().has_value());
  }

  void add_evidence(std::int64_t id, const auth::Iprev& iprev, WallTime taken,
                    std::string_view state) {
    const std::string lookups = boost::json::serialize(lookups_json(iprev));
    insert("INSERT INTO evidence VALUES (?, ?, ?, ?, ?)", id, iprev.address, taken, state, lookups);
  }
  void add_refusal(const Refusal& refusal, std::optional<std::int64_t> deferral = {},
                   std::int64_t evidence = 1) {
    const auto latency =
        std::chrono::duration_cast<std::chrono::milliseconds>(refusal.latency).count();
    insert(
        "INSERT INTO refusals VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "?, ?)",
        refusal.time, refusal.case_id, refusal.client, refusal.via,
        static_cast<int>(refusal.greeting), refusal.helo, refusal.sender, refusal.recipient,
        refusal.message, refusal.state, refusal.action, static_cast<int>(refusal.effect),
        refusal.reply, refusal.override_name, refusal.observed_because,
        static_cast<int>(refusal.escalated), std::int64_t{latency}, evidence, deferral);
    index_case(refusal.case_id);
  }
  /// Of the last `count` refusals.
  void index_case(std::string_view case_id, std::int64_t count = 1) {
    const auto last = database_->number("SELECT max(id) FROM refusals");
    CaseIndex index;
    CHECK(last.has_value() && index.prepare(*database_, *last - count).has_value());
    for (std::int64_t i = 0; i < count; ++i) CHECK(index.add(case_id).has_value());
    CHECK(index.write().has_value());
  }
  void add_deferral(std::int64_t id, const Deferral& deferral) {
    const std::string times = times_bytes(deferral.attempts);
    const std::string addresses = addresses_bytes(deferral.addresses);
    insert("INSERT INTO deferrals (" + std::string(deferral_columns) +
               ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
           id, deferral.sender, deferral.recipient, deferral.helo, deferral.attempts.front(),
           deferral.last_attempt, deferral.attempts_count, Statement::Blob{times},
           Statement::Blob{addresses}, deferral.accepted,
           deferral.accepted ? std::optional(deferral.accepted_from) : std::nullopt,
           static_cast<int>(deferral.greeting), deferral.refused_for_good);
  }
  void add_client(const IpAddress& address, std::string_view name,
                  std::optional<WallTime> confirmed, std::int64_t accepted,
                  std::int64_t would_refuse = 0) {
    insert("INSERT INTO clients VALUES (?, ?, ?, '', ?, ?, ?, 0, ?)", address, start_, start_, name,
           confirmed, accepted, would_refuse);
  }

  Archive archive() {
    auto opened = Archive::open(path_);
    CHECK(opened.has_value());
    return *std::move(opened);
  }

  /// A client without PTR, as its refusals name it.
  static auth::Iprev nameless(const IpAddress& client) {
    auth::Iprev iprev;
    iprev.address = client;
    iprev.result = auth::IprevResult::fail;
    iprev.ptr_status = dns::Status::nx_domain;
    iprev.ttl_seconds = iprev.ptr_ttl_seconds = 300;
    iprev.took = std::chrono::milliseconds(12);
    return iprev;
  }
  Refusal refusal(std::string case_id, std::string recipient, Duration after = {}) const {
    Refusal made;
    made.time = start_ + after;
    made.case_id = std::move(case_id);
    made.client = client_;
    made.greeting = upstream::Greeting::ehlo;
    made.helo = "mail.partner.example";
    made.sender = "ann@partner.example";
    made.recipient = std::move(recipient);
    made.message = 1;
    made.state = "no_ptr";
    made.action = "450";
    made.reply =
        "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.7]: no PTR record "
        "(case " +
        made.case_id + ")";
    made.latency = std::chrono::milliseconds(130);
    return made;
  }
  Deferral deferral(std::string recipient, const std::vector<Duration>& attempts) const {
    Deferral made;
    made.sender = "ann@partner.example";
    made.recipient = std::move(recipient);
    made.helo = "mail.partner.example";
    made.greeting = upstream::Greeting::ehlo;
    made.addresses = {client_};
    for (const Duration after : attempts) made.attempts.push_back(start_ + after);
    made.attempts_count = static_cast<std::uint32_t>(attempts.size());
    made.last_attempt = made.attempts.back();
    return made;
  }

  // 2026-11-24T03:25:53Z
  const WallTime start_ = WallTime(std::chrono::seconds(1795490753));
  const IpAddress client_ = IpAddress::from_v4({192, 0, 2, 7});
  const std::string path_ =
      testing::TempDir() + "postern_ledger_" + std::to_string(getpid()) + ".db";
  std::optional<Database> database_;
};

}  // namespace postern::ledger
