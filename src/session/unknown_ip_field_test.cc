#include "session/unknown_ip_field.h"

#include <gtest/gtest.h>

#include "session/trace_filter.h"

namespace postern::session {
namespace {

using policy::Action;
using policy::UnknownIpState;
using policy::UnknownIpVerdict;

UnknownIpVerdict verdict_of(UnknownIpState state, const std::string& name,
                            const std::string& confirmed = {}) {
  auto iprev = std::make_shared<auth::Iprev>();
  iprev->address = *IpAddress::parse("192.0.2.7");
  if (!name.empty()) {
    auth::IprevName entry;
    entry.name = name;
    entry.usable = true;
    entry.addresses = {*IpAddress::parse("198.51.100.9")};
    iprev->names = {entry};
  }
  iprev->confirmed_name = confirmed;
  UnknownIpVerdict verdict;
  verdict.state = state;
  verdict.iprev = std::move(iprev);
  return verdict;
}

TEST(UnknownIpField, TellsWhatWasFound) {
  UnknownIpVerdict stale = verdict_of(UnknownIpState::pass, "mail.example.com", "mail.example.com");
  stale.stale = true;
  stale.enforced = true;
  UnknownIpVerdict skipped;
  skipped.skipped_because = "private address";
  struct Case {
    UnknownIpVerdict verdict;
    UnknownIpTag tag;
    const char* field;
  };
  const Case cases[] = {
      {verdict_of(UnknownIpState::no_ptr, ""),
       {Action::reply_450, "4F7KQ2"},
       "X-Postern-Unknown-IP: state=no_ptr; action=450; mode=observe;\r\n\tconfirmed=none;\r\n"
       "\traw=none; dnssec=insecure; case=4F7KQ2\r\n"},
      {verdict_of(UnknownIpState::mismatch, "a.example"),
       {Action::tag, ""},
       "X-Postern-Unknown-IP: state=mismatch; action=tag; mode=observe;\r\n\tconfirmed=none;\r\n"
       "\traw=\"a.example\"; dnssec=insecure\r\n"},
      {stale,
       {},
       "X-Postern-Unknown-IP: state=pass; action=accept; mode=enforce;\r\n"
       "\tconfirmed=mail.example.com;\r\n"
       "\traw=\"mail.example.com\"; dnssec=insecure; stale=yes\r\n"},
      {skipped,
       {},
       "X-Postern-Unknown-IP: state=skipped; action=accept; reason=\"private address\"\r\n"},
      {verdict_of(UnknownIpState::bad_name, "a\"\\\r\nX-Spam: no"),
       {Action::tag, ""},
       "X-Postern-Unknown-IP: state=bad_name; action=tag; mode=observe;\r\n\tconfirmed=none;\r\n"
       "\traw=\"a\\\"\\\\x5c\\\\x0d\\\\x0aX-Spam: no\"; dnssec=insecure\r\n"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(compose_unknown_ip_field(c.verdict, c.tag), c.field);
    TraceFilter filter("gw.example.com");
    std::string out;
    filter.feed(std::string(c.field) + "Subject: x\r\n\r\n", out);
    filter.finish(out);
    EXPECT_EQ(out, "Subject: x\r\n\r\n") << "a host before us cannot pass it off as ours";
  }
}

TEST(UnknownIpField, StandsInMailThatIsNotSimplyAccepted) {
  const UnknownIpVerdict refused = verdict_of(UnknownIpState::no_ptr, "");
  const UnknownIpVerdict skipped;
  struct Case {
    UnknownIpHeader header;
    const UnknownIpVerdict& verdict;
    Action action;
    bool bears;
  };
  const Case cases[] = {
      {UnknownIpHeader::never, refused, Action::tag, false},
      {UnknownIpHeader::tagged, refused, Action::tag, true},
      {UnknownIpHeader::tagged, refused, Action::reply_450, true},
      {UnknownIpHeader::tagged, refused, Action::accept, false},
      {UnknownIpHeader::tagged, skipped, Action::accept, false},
      {UnknownIpHeader::always, refused, Action::accept, true},
      {UnknownIpHeader::always, skipped, Action::accept, true},
  };
  for (const Case& c : cases)
    EXPECT_EQ(bears_field(c.header, c.verdict, {c.action, ""}), c.bears)
        << static_cast<int>(c.header) << " " << policy::action_name(c.action);
}

TEST(UnknownIpField, TheStrictestRecipientCounts) {
  UnknownIpTag tag;
  tag.take(Action::tag, "");
  tag.take(Action::reply_450, "AAAAAA");
  tag.take(Action::reply_450, "BBBBBB");
  tag.take(Action::accept, "");
  EXPECT_EQ(tag.action, Action::reply_450);
  EXPECT_EQ(tag.case_id, "AAAAAA");
}

}  // namespace
}  // namespace postern::session
