#include "ledger/lookups_json.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

namespace postern::ledger {
namespace {

using namespace std::chrono_literals;

const IpAddress client = *IpAddress::parse("192.0.2.7");

auth::Iprev mismatched() {
  auth::Iprev iprev;
  iprev.address = client;
  iprev.result = auth::IprevResult::fail;
  iprev.ptr_status = dns::Status::ok;
  iprev.ptr_ttl_seconds = 300;
  iprev.ptr_count = 12;
  iprev.names = {{.name = "1.2.3.4"},
                 {.name = "mail.example.com",
                  .usable = true,
                  .status = dns::Status::ok,
                  .addresses = {*IpAddress::parse("192.0.2.9"), *IpAddress::parse("2001:db8::9")},
                  .ttl_seconds = 60,
                  .secure = true},
                 {.name = "slow.example.com", .usable = true, .status = dns::Status::no_data}};
  iprev.ttl_seconds = 60;
  iprev.took = 12ms;
  return iprev;
}

std::string written(const auth::Iprev& iprev) {
  return boost::json::serialize(lookups_json(iprev));
}

TEST(LookupsJson, IsReadAsItWasWritten) {
  auth::Iprev confirmed = mismatched();
  confirmed.result = auth::IprevResult::pass;
  confirmed.confirmed_name = "mail.example.com";
  auth::Iprev undetermined = mismatched();
  undetermined.result = auth::IprevResult::temperror;
  undetermined.names[2].status = dns::Status::serv_fail;
  auth::Iprev nameless;
  nameless.address = client;
  nameless.result = auth::IprevResult::fail;
  nameless.ptr_status = dns::Status::nx_domain;
  for (const auth::Iprev& iprev : {mismatched(), confirmed, undetermined, nameless}) {
    const std::string text = written(iprev);
    const auto read = read_lookups(text, client);
    ASSERT_TRUE(read.has_value()) << text;
    EXPECT_EQ(written(*read), text);
    EXPECT_EQ(read->address, client);
    EXPECT_EQ(read->result, iprev.result) << text;
  }
}

TEST(LookupsJson, ItSaysHowManyAddressesThereWere) {
  auth::Iprev iprev = mismatched();
  iprev.names[1].addresses_left_out = 35;
  const std::string text = written(iprev);
  EXPECT_NE(text.find(R"("addresses_count":37)"), std::string::npos);
  const auto read = read_lookups(text, client);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->names[1].addresses_left_out, 35U);
  EXPECT_EQ(written(*read), text);

  iprev.names[1].addresses.assign(auth::iprev_addresses_max + 5, *IpAddress::parse("192.0.2.9"));
  const auto bounded = read_lookups(written(iprev), client);
  ASSERT_TRUE(bounded.has_value());
  EXPECT_EQ(bounded->names[1].addresses.size(), auth::iprev_addresses_max);
}

TEST(LookupsJson, DamageIsNotBelieved) {
  struct Case {
    const char* reason;
    std::string text;
  };
  const Case unreadable[] = {
      {"nothing", ""},
      {"no JSON", "{\"ptr\":"},
      {"no object", "[]"},
      {"no lookup", "{}"},
      {"a lookup of another shape", R"({"ptr":[]})"},
      {"too large", R"({"ptr":{},"names":[")" + std::string(lookups_bytes_max, 'x') + R"("]})"},
      {"too deep", std::string(1000, '[')},
  };
  for (const Case& c : unreadable) EXPECT_FALSE(read_lookups(c.text, client)) << c.reason;

  const auto read = read_lookups(
      R"({"ptr":{"status":"WELL","count":-1,"ttl":"x"},"took_ms":1e30,
          "names":[7,{"name":"a\u001b[2J","usable":true,"status":"NOERROR","ttl":99999999999,
                      "addresses":["x",5,"192.0.2.7"]}]})",
      client);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->ptr_status, dns::Status::timed_out);
  ASSERT_EQ(read->names.size(), 1U);
  EXPECT_EQ(read->ptr_count, 1U);
  EXPECT_EQ(read->names[0].name, "") << "no name has control characters";
  EXPECT_EQ(read->names[0].addresses, std::vector{client});
  EXPECT_LE(read->took, 1h);
}

}  // namespace
}  // namespace postern::ledger
