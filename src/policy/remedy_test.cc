#include "policy/remedy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace postern::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

auth::Iprev iprev_of(std::string_view client) {
  auth::Iprev iprev;
  iprev.address = *IpAddress::parse(client);
  iprev.ptr_status = dns::Status::ok;
  return iprev;
}

auth::IprevName name(std::string text, std::vector<IpAddress> addresses, bool usable = true,
                     dns::Status status = dns::Status::ok) {
  auth::IprevName made;
  made.name = std::move(text);
  made.usable = usable;
  made.status = status;
  made.addresses = std::move(addresses);
  return made;
}

TEST(Remedy, WithoutPtrBothRecordsAreMissing) {
  EXPECT_THAT(
      remedy_for(UnknownIpState::no_ptr, iprev_of("192.0.2.7"), "Mail.Partner.Example").records,
      ElementsAre("7.2.0.192.in-addr.arpa. IN PTR mail.partner.example.",
                  "mail.partner.example. IN A 192.0.2.7"));
  // Whatever a client calls itself does not get into a zone file.
  for (const std::string_view helo : {"[192.0.2.7]", "localhost", "a b.example\n", "", "x;y"})
    EXPECT_THAT(remedy_for(UnknownIpState::no_ptr, iprev_of("192.0.2.7"), helo).records,
                ElementsAre("7.2.0.192.in-addr.arpa. IN PTR mail.example.com.",
                            "mail.example.com. IN A 192.0.2.7"))
        << helo;
}

TEST(Remedy, SixHasAaaa) {
  auth::Iprev iprev = iprev_of("2001:db8::25");
  iprev.names = {name("six.example", {})};
  EXPECT_THAT(remedy_for(UnknownIpState::no_forward, iprev, "").records,
              ElementsAre("six.example. IN AAAA 2001:db8::25"));
}

TEST(Remedy, TheNameThatHasAddressesGetsOneMore) {
  auth::Iprev iprev = iprev_of("192.0.2.7");
  iprev.names = {name("1.2.3.4", {}, false), name("empty.example", {}),
                 name("mail.example", {*IpAddress::parse("198.51.100.9")})};
  const Remedy remedy = remedy_for(UnknownIpState::mismatch, iprev, "other.example");
  EXPECT_THAT(remedy.records, ElementsAre("mail.example. IN A 192.0.2.7"));
  EXPECT_THAT(remedy.advice, ElementsAre(HasSubstr("belongs to another server")));
}

TEST(Remedy, SilenceAsksForNoRecord) {
  auth::Iprev iprev = iprev_of("192.0.2.7");
  iprev.names = {name("mail.example", {}, true, dns::Status::serv_fail)};
  const Remedy remedy = remedy_for(UnknownIpState::temp_error, iprev, "");
  EXPECT_THAT(remedy.records, IsEmpty());
  EXPECT_THAT(remedy.advice, ElementsAre(HasSubstr("mail.example")));
}

TEST(Remedy, WhoPassesNeedsNone) {
  EXPECT_THAT(remedy_for(UnknownIpState::pass, iprev_of("192.0.2.7"), "").records, IsEmpty());
}

}  // namespace
}  // namespace postern::policy
