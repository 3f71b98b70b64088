#include "smtp/client_machine.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace postern::smtp {
namespace {

using Kind = ClientAction::Kind;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::string_view full_ehlo =
    "250-mx.example.com\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n"
    "250-DSN\r\n250 ENHANCEDSTATUSCODES\r\n";

mail::Recipient recipient(std::string address) {
  mail::Recipient r;
  r.address = std::move(address);
  return r;
}

ClientOptions options(ClientProtocol protocol = ClientProtocol::smtp) {
  ClientOptions o;
  o.protocol = protocol;
  o.hostname = "gw.example.net";
  return o;
}

// Drives a machine and writes down what it does, with the server's lines given by the test.
class Talk {
 public:
  explicit Talk(ClientOptions o = options()) : machine(std::move(o)) {}

  // Whatever the machine sends until it wants something else.
  std::string sent() {
    std::string bytes;
    for (;;) {
      const ClientAction action = machine.next();
      if (action.kind == Kind::content) {
        if (body_.empty())
          machine.content_end();
        else
          machine.content(std::exchange(body_, {}));
      } else if (action.kind == Kind::write) {
        bytes += action.bytes;
        ++writes;
        machine.written();
      } else {
        last = action;
        return bytes;
      }
    }
  }
  // The server says `text`; what the machine sends then.
  std::string say(std::string_view text, std::size_t chunk = 0) {
    while (!text.empty()) {
      const auto piece = chunk == 0 ? text : text.substr(0, chunk);
      machine.received(piece);
      text.remove_prefix(piece.size());
    }
    return sent();
  }
  void connect(std::string_view ehlo = full_ehlo) {
    EXPECT_EQ(sent(), "");
    EXPECT_EQ(say("220 mx.example.com ESMTP\r\n"), "EHLO gw.example.net\r\n");
    EXPECT_EQ(say(ehlo), "");
    EXPECT_EQ(last.kind, Kind::ready);
  }
  void begin(std::initializer_list<std::string> addresses, std::string body = "Hello\r\n") {
    recipients_.clear();
    for (const auto& address : addresses) recipients_.push_back(recipient(address));
    start(std::move(body));
  }
  void start(std::string body = "Hello\r\n") {
    ClientMessage message;
    message.purpose = purpose;
    mail_.reverse_path = "a@example.org";
    mail_.size_bytes = body.size();
    message.mail = mail_;
    for (const auto& r : recipients_) message.recipients.push_back(&r);
    body_ = std::move(body);
    machine.begin(std::move(message));
  }
  std::string verdicts() {
    std::string text;
    if (last.kind != Kind::message_done) return "not done";
    for (const auto& o : machine.outcomes()) {
      static constexpr const char* names[] = {"undecided", "delivered", "temporary", "permanent"};
      text += fmt::format("{}{} {} {}", text.empty() ? "" : "; ",
                          names[static_cast<std::size_t>(o.verdict)], o.from_peer ? "peer" : "us",
                          o.reply.text());
    }
    machine.message_taken();
    sent();
    return text;
  }

  ClientMachine machine;
  ClientAction last;
  MailParameters mail_;
  std::vector<mail::Recipient> recipients_;
  ClientPurpose purpose = ClientPurpose::deliver;
  int writes = 0;

 private:
  std::string body_;
};

TEST(ClientMachine, OneMessageIsFourWrites) {
  Talk t;
  t.connect();
  t.writes = 0;
  t.begin({"b@example.com", "c@example.com"}, "Hi\r\n.dot\r\n");
  EXPECT_EQ(t.sent(),
            "MAIL FROM:<a@example.org> SIZE=10\r\nRCPT TO:<b@example.com>\r\n"
            "RCPT TO:<c@example.com>\r\nDATA\r\n");
  EXPECT_EQ(t.say("250 2.1.0 ok\r\n250 2.1.5 ok\r\n250 2.1.5 ok\r\n354 go\r\n"),
            "Hi\r\n..dot\r\n.\r\n");
  EXPECT_EQ(t.writes, 2);
  EXPECT_EQ(t.last.kind, Kind::read);
  EXPECT_EQ(t.last.timeout, minutes(10));
  t.say("250 2.0.0 queued as 1\r\n");
  EXPECT_EQ(t.verdicts(),
            "delivered peer 250 2.0.0 queued as 1; delivered peer 250 2.0.0 queued as 1");
  EXPECT_EQ(t.last.kind, Kind::ready);
  t.begin({"d@example.com"});
  EXPECT_TRUE(t.sent().starts_with("MAIL FROM")) << "no RSET after success";
  EXPECT_EQ(t.say("250 ok\r\n250 ok\r\n354 go\r\n"), "Hello\r\n.\r\n");
  t.say("250 ok\r\n");
  EXPECT_EQ(t.verdicts(), "delivered peer 250 ok");
  t.machine.quit();
  EXPECT_EQ(t.sent(), "QUIT\r\n");
  EXPECT_EQ(t.last.timeout, seconds(10));
  t.say("221 bye\r\n");
  EXPECT_EQ(t.last.kind, Kind::close);
  EXPECT_FALSE(t.machine.end());
}

TEST(ClientMachine, AnySplitOfTheRepliesGivesTheSame) {
  for (std::size_t chunk = 1; chunk < 12; ++chunk) {
    Talk t;
    t.sent();
    EXPECT_EQ(t.say("220-mx\r\n220 ESMTP\r\n", chunk), "EHLO gw.example.net\r\n");
    t.say(full_ehlo, chunk);
    t.begin({"b@example.com", "c@example.com"});
    t.sent();
    EXPECT_EQ(t.say("250 ok\r\n550-5.1.1 no\r\n550 5.1.1 such user\r\n250 ok\r\n354 go\r\n", chunk),
              "Hello\r\n.\r\n");
    t.say("250 done\r\n", chunk);
    EXPECT_EQ(t.verdicts(), "permanent peer 550 5.1.1 no; such user; delivered peer 250 done");
  }
}

TEST(ClientMachine, WithoutPipeliningOneByOne) {
  Talk t;
  t.connect("250 mx.example.com\r\n");
  t.begin({"b@example.com", "c@example.com"});
  EXPECT_EQ(t.sent(), "MAIL FROM:<a@example.org>\r\n");
  EXPECT_EQ(t.last.timeout, minutes(5));
  EXPECT_EQ(t.say("250 ok\r\n"), "RCPT TO:<b@example.com>\r\n");
  EXPECT_EQ(t.say("450 later\r\n"), "RCPT TO:<c@example.com>\r\n");
  EXPECT_EQ(t.say("251 ok\r\n"), "DATA\r\n");
  EXPECT_EQ(t.last.timeout, minutes(2));
  EXPECT_EQ(t.say("354 go\r\n"), "Hello\r\n.\r\n");
  t.say("250 done\r\n");
  EXPECT_EQ(t.verdicts(), "temporary peer 450 later; delivered peer 250 done");
}

TEST(ClientMachine, WithoutPipeliningNoDataWhenAllAreRefusedThenRset) {
  Talk t;
  t.connect("250 mx.example.com\r\n");
  t.begin({"b@example.com"});
  t.sent();
  t.say("250 ok\r\n");
  EXPECT_EQ(t.say("550 no\r\n"), "");
  EXPECT_EQ(t.verdicts(), "permanent peer 550 no");
  t.begin({"c@example.com"});
  EXPECT_EQ(t.sent(), "RSET\r\n");
  EXPECT_EQ(t.last.timeout, seconds(20));
  EXPECT_EQ(t.say("250 ok\r\n"), "MAIL FROM:<a@example.org>\r\n");
}

TEST(ClientMachine, PipelinedRefusalOfAllRecipients) {
  Talk t;
  t.connect();
  t.begin({"b@example.com"});
  t.sent();
  EXPECT_EQ(t.say("250 ok\r\n550 5.1.1 no\r\n554 no valid recipients\r\n"), "");
  EXPECT_EQ(t.verdicts(), "permanent peer 550 5.1.1 no");
  t.begin({"c@example.com"});
  EXPECT_TRUE(t.sent().starts_with("RSET\r\nMAIL FROM"));
  EXPECT_EQ(t.say("250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n"), "Hello\r\n.\r\n");
}

TEST(ClientMachine, DataTakenWithoutRecipientsGetsALoneDot) {
  Talk t;
  t.connect();
  t.begin({"b@example.com"});
  t.sent();
  EXPECT_EQ(t.say("250 ok\r\n550 no\r\n354 go\r\n"), ".\r\n");
  t.say("250 took nothing\r\n");
  EXPECT_EQ(t.verdicts(), "permanent peer 550 no") << "that 250 is no delivery";
  EXPECT_EQ(t.last.kind, Kind::ready);
}

TEST(ClientMachine, MailRefused) {
  Talk t;
  t.connect();
  t.begin({"b@example.com", "c@example.com"});
  t.sent();
  EXPECT_EQ(t.say("451 4.7.1 greylisted\r\n503 no\r\n503 no\r\n503 no\r\n"), "");
  EXPECT_EQ(t.verdicts(),
            "temporary peer 451 4.7.1 greylisted; temporary peer 451 4.7.1 greylisted");
  t.begin({"b@example.com"});
  EXPECT_TRUE(t.sent().starts_with("MAIL")) << "no transaction to reset";
}

TEST(ClientMachine, DataRefused) {
  Talk t;
  t.connect();
  t.begin({"b@example.com", "c@example.com"});
  t.sent();
  t.say("250 ok\r\n250 ok\r\n550 no\r\n452 4.3.1 disk full\r\n");
  EXPECT_EQ(t.verdicts(), "temporary peer 452 4.3.1 disk full; permanent peer 550 no");
}

TEST(ClientMachine, ContentRefused) {
  Talk t;
  t.connect();
  t.begin({"b@example.com"});
  t.sent();
  t.say("250 ok\r\n250 ok\r\n354 go\r\n");
  t.say("554 5.7.1 spam\r\n");
  EXPECT_EQ(t.verdicts(), "permanent peer 554 5.7.1 spam");
  t.begin({"b@example.com"});
  EXPECT_TRUE(t.sent().starts_with("MAIL"));
}

TEST(ClientMachine, DsnAndBodyOnlyWhenOffered) {
  Talk t;
  t.connect();
  t.recipients_ = {recipient("b@example.com"), recipient("c@example.com")};
  t.recipients_[0].notify = {.specified = true, .success = true, .failure = true};
  t.recipients_[0].original_recipient = "rfc822;b+x=y@example.com";
  t.recipients_[1].notify = {.specified = true, .never = true};
  t.mail_.body = mail::BodyType::eight_bit_mime;
  t.mail_.dsn_return = mail::DsnReturn::headers;
  t.mail_.envelope_id = "id+1";
  t.start();
  EXPECT_EQ(t.sent(),
            "MAIL FROM:<a@example.org> SIZE=7 BODY=8BITMIME RET=HDRS ENVID=id+2B1\r\n"
            "RCPT TO:<b@example.com> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bx+3Dy@example.com\r\n"
            "RCPT TO:<c@example.com> NOTIFY=NEVER\r\nDATA\r\n");
  Talk plain;
  plain.connect("250-mx\r\n250 PIPELINING\r\n");
  plain.recipients_ = t.recipients_;
  plain.mail_ = t.mail_;
  plain.start();
  EXPECT_EQ(plain.sent(),
            "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.com>\r\nRCPT TO:<c@example.com>\r\n"
            "DATA\r\n");
}

TEST(ClientMachine, HeloWhenEhloIsUnknown) {
  Talk t;
  t.sent();
  t.say("220 old\r\n");
  EXPECT_EQ(t.say("500 what\r\n"), "HELO gw.example.net\r\n");
  t.say("250-old\r\n250 PIPELINING\r\n");
  EXPECT_EQ(t.last.kind, Kind::ready);
  EXPECT_EQ(t.machine.extensions(), ServerExtensions{});
}

TEST(ClientMachine, StartTls) {
  Talk t;
  t.sent();
  t.say("220 mx\r\n");
  EXPECT_EQ(t.say("250-mx\r\n250-SIZE 5\r\n250 STARTTLS\r\n"), "STARTTLS\r\n");
  EXPECT_EQ(t.say("220 go\r\n"), "");
  EXPECT_EQ(t.last.kind, Kind::start_tls);
  t.machine.tls_started();
  EXPECT_EQ(t.sent(), "EHLO gw.example.net\r\n");
  t.say("250-mx\r\n250-STARTTLS\r\n250 PIPELINING\r\n");
  EXPECT_EQ(t.last.kind, Kind::ready) << "no second STARTTLS";
  EXPECT_TRUE(t.machine.tls());
  EXPECT_FALSE(t.machine.extensions().size) << "forgotten with the clear text";
}

TEST(ClientMachine, BytesBehindTheStartTlsReplyEndIt) {
  Talk t;
  t.sent();
  t.say("220 mx\r\n");
  t.say("250-mx\r\n250 STARTTLS\r\n");
  t.say("220 go\r\n250-injected\r\n250 DSN\r\n");
  EXPECT_EQ(t.last.kind, Kind::close);
  EXPECT_EQ(t.machine.end()->stage, ClientStage::starttls);
}

TEST(ClientMachine, StartTlsRefusedGoesOnInTheClear) {
  Talk t;
  t.sent();
  t.say("220 mx\r\n");
  t.say("250-mx\r\n250 STARTTLS\r\n");
  t.say("454 4.7.0 not now\r\n");
  EXPECT_EQ(t.last.kind, Kind::ready);
  ClientOptions off = options();
  off.tls = ClientTls::off;
  Talk u(off);
  u.sent();
  u.say("220 mx\r\n");
  EXPECT_EQ(u.say("250-mx\r\n250 STARTTLS\r\n"), "");
  EXPECT_EQ(u.last.kind, Kind::ready);
}

TEST(ClientMachine, TlsFailureIsTold) {
  Talk t;
  t.sent();
  t.say("220 mx\r\n");
  t.say("250-mx\r\n250 STARTTLS\r\n");
  t.say("220 go\r\n");
  t.machine.tls_failed("wrong version");
  t.sent();
  EXPECT_EQ(t.last.kind, Kind::close);
  EXPECT_EQ(t.machine.end()->stage, ClientStage::starttls);
  EXPECT_EQ(t.machine.end()->reply.text(), "454 4.7.5 TLS handshake failed: wrong version");
}

TEST(ClientMachine, LmtpAnswersForEachRecipient) {
  Talk t(options(ClientProtocol::lmtp));
  t.sent();
  EXPECT_EQ(t.say("220 lmtp\r\n"), "LHLO gw.example.net\r\n");
  t.say("250-lmtp\r\n250 PIPELINING\r\n");
  t.begin({"b@example.com", "c@example.com", "d@example.com", "e@example.com"});
  t.sent();
  EXPECT_EQ(t.say("250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
            "Hello\r\n.\r\n");
  t.say("250 b done\r\n");
  EXPECT_EQ(t.last.kind, Kind::read);
  t.say("452 4.2.2 d full\r\n552 5.2.2 e full\r\n");
  EXPECT_EQ(t.verdicts(),
            "delivered peer 250 b done; permanent peer 550 no; temporary peer 452 4.2.2 d full; "
            "permanent peer 552 5.2.2 e full");
}

TEST(ClientMachine, LmtpLostBetweenFinalReplies) {
  Talk t(options(ClientProtocol::lmtp));
  t.sent();
  t.say("220 lmtp\r\n");
  t.say("250-lmtp\r\n250 PIPELINING\r\n");
  t.begin({"b@example.com", "c@example.com"});
  t.sent();
  t.say("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
  t.say("250 b done\r\n");
  t.machine.closed(Cause::closed);
  t.sent();
  EXPECT_EQ(t.verdicts(),
            "delivered peer 250 b done; temporary us 421 4.4.2 lost connection while waiting for "
            "the reply to end of data; the message may be delivered more than once");
}

TEST(ClientMachine, FourTwentyOneAtAnyTime) {
  const std::string_view steps[] = {"220 mx\r\n", full_ehlo,    "",
                                    "250 ok\r\n", "250 ok\r\n", "354 go\r\n"};
  for (std::size_t before = 0; before <= std::size(steps); ++before) {
    Talk t;
    t.sent();
    for (std::size_t i = 0; i < before; ++i) {
      if (steps[i].empty()) t.begin({"b@example.com"});
      t.say(steps[i]);
    }
    t.say("421 4.3.2 going down\r\n");
    if (before > 2) EXPECT_EQ(t.verdicts(), "temporary peer 421 4.3.2 going down") << before;
    EXPECT_EQ(t.last.kind, Kind::close) << before;
    ASSERT_TRUE(t.machine.end()) << before;
    EXPECT_EQ(t.machine.end()->reply.code, 421);
  }
}

TEST(ClientMachine, LostAtAnyTimeIsTemporary) {
  const std::string_view steps[] = {"220 mx\r\n", full_ehlo,    "",
                                    "250 ok\r\n", "250 ok\r\n", "354 go\r\n"};
  const std::string_view texts[] = {
      "lost connection while waiting for the greeting",
      "lost connection while waiting for the reply to EHLO",
      "lost connection while waiting for the next command",
      "lost connection while waiting for the reply to MAIL FROM",
      "lost connection while waiting for the reply to RCPT TO",
      "lost connection while waiting for the reply to DATA",
      ("lost connection while waiting for the reply to end of data; the message may be delivered "
       "more than once")};
  for (std::size_t before = 0; before <= std::size(steps); ++before) {
    Talk t;
    t.sent();
    for (std::size_t i = 0; i < before; ++i) {
      if (steps[i].empty()) t.begin({"b@example.com"});
      t.say(steps[i]);
    }
    t.machine.closed(Cause::closed);
    t.sent();
    ASSERT_TRUE(t.machine.end()) << before;
    EXPECT_EQ(t.machine.end()->reply.lines[0], texts[before]);
    if (before > 2) {
      EXPECT_EQ(t.machine.outcomes()[0].verdict, ClientVerdict::temporary);
      EXPECT_EQ(t.machine.untouched(), before == 3);
    }
  }
}

TEST(ClientMachine, RefusedRecipientStaysRefusedWhenTheConnectionIsLost) {
  Talk t;
  t.connect();
  t.begin({"b@example.com", "c@example.com"});
  t.sent();
  t.say("250 ok\r\n550 5.1.1 no\r\n");
  t.machine.closed(Cause::timed_out);
  t.sent();
  EXPECT_EQ(t.verdicts(),
            "permanent peer 550 5.1.1 no; temporary us 421 4.4.2 timed out while waiting for the "
            "reply to RCPT TO");
}

TEST(ClientMachine, GreetingRefused) {
  for (const char* greeting : {"554 no service\r\n", "450 later\r\n", "521 no mail\r\n"}) {
    Talk t;
    t.sent();
    t.say(greeting);
    EXPECT_EQ(t.last.kind, Kind::close);
    EXPECT_TRUE(t.machine.end()->from_peer);
    EXPECT_EQ(t.machine.end()->stage, ClientStage::greeting);
  }
}

TEST(ClientMachine, GarbageEndsTheConnection) {
  const std::string garbage[] = {
      "HTTP/1.1 400 Bad Request\r\n", std::string(10'000, 'x'), "250-ok\r\n251 ok\r\n",
      std::string(4, '\0') + "\r\n",  "999 what\r\n",           "2500 ok\r\n"};
  for (const std::string& bytes : garbage) {
    Talk t;
    t.connect();
    t.begin({"b@example.com"});
    t.sent();
    t.say(bytes);
    EXPECT_EQ(t.verdicts(), "temporary us 451 4.5.0 the server sent something that is no reply");
    EXPECT_EQ(t.last.kind, Kind::close);
  }
}

TEST(ClientMachine, ReplyToNothingEndsTheConnection) {
  Talk t;
  t.connect();
  t.say("250 ok\r\n");
  EXPECT_EQ(t.last.kind, Kind::close);
  EXPECT_EQ(t.machine.end()->reply.lines[0], "the server sent a reply to no command");
}

TEST(ClientMachine, WhatCannotBeSentIsRefusedHere) {
  Talk t;
  t.connect("250-mx\r\n250-PIPELINING\r\n250 SIZE 5\r\n");
  t.begin({"b@example.com"});
  EXPECT_EQ(t.sent(), "");
  EXPECT_EQ(t.verdicts(), "permanent us 552 5.3.4 the message has 7 bytes, the server takes 5");
  t.begin({"b@example.com\r\nRSET", "c d@example.com", "e@example.com"}, "x\r\n");
  EXPECT_EQ(t.sent(), "MAIL FROM:<a@example.org> SIZE=3\r\nRCPT TO:<e@example.com>\r\nDATA\r\n");
  t.say("250 ok\r\n250 ok\r\n354 go\r\n");
  t.say("250 done\r\n");
  EXPECT_EQ(t.verdicts(),
            "permanent us 553 5.1.3 the recipient's address cannot be sent over SMTP; "
            "permanent us 553 5.1.3 the recipient's address cannot be sent over SMTP; "
            "delivered peer 250 done");
  t.mail_.smtputf8 = true;
  t.begin({"b@example.com"}, "x\r\n");
  t.sent();
  EXPECT_EQ(t.verdicts(), "permanent us 553 5.6.7 the server does not take internationalised mail");
}

TEST(ClientMachine, TooManyRecipientsInTheOldForm) {
  Talk t;
  t.connect();
  t.begin({"b@example.com", "c@example.com", "d@example.com"});
  t.sent();
  t.say("250 ok\r\n250 ok\r\n552 too many recipients\r\n552 5.2.2 mailbox full\r\n354 go\r\n");
  t.say("250 done\r\n");
  EXPECT_EQ(t.verdicts(),
            "delivered peer 250 done; temporary peer 552 too many recipients; permanent peer 552 "
            "5.2.2 mailbox full");
}

TEST(ClientMachine, LargeContentGoesInBlocks) {
  Talk t;
  t.connect("250-mx\r\n250 PIPELINING\r\n");
  t.begin({"b@example.com"});
  t.sent();
  t.machine.received("250 ok\r\n250 ok\r\n354 go\r\n");
  const std::string line(998, 'x');
  std::size_t fed = 0;
  std::size_t written = 0;
  while (t.machine.next().kind != Kind::read) {
    const ClientAction action = t.machine.next();
    if (action.kind == Kind::content) {
      if (fed == 1000) {
        t.machine.content_end();
      } else {
        t.machine.content(line + "\r\n");
        ++fed;
      }
      continue;
    }
    ASSERT_EQ(action.kind, Kind::write);
    EXPECT_EQ(action.timeout, minutes(3));
    EXPECT_LT(action.bytes.size(), ClientMachine::write_bytes_wanted + 1100);
    written += action.bytes.size();
    t.machine.written();
  }
  EXPECT_EQ(written, 1'000'000U + 3);
}

TEST(ClientMachine, RefusalInTheMiddleOfTheContent) {
  Talk t;
  t.connect();
  t.begin({"b@example.com"});
  t.sent();
  t.machine.received("250 ok\r\n250 ok\r\n354 go\r\n");
  ASSERT_EQ(t.machine.next().kind, Kind::content);
  t.machine.content(std::string(70'000, 'x'));
  t.machine.received("552 5.3.4 too big\r\n");
  t.sent();
  EXPECT_EQ(t.verdicts(), "permanent peer 552 5.3.4 too big");
  EXPECT_EQ(t.last.kind, Kind::close);
}

TEST(ClientMachine, UnreadableContentNeverEndsInADot) {
  Talk t;
  t.connect();
  t.begin({"b@example.com"});
  t.sent();
  t.machine.received("250 ok\r\n250 ok\r\n354 go\r\n");
  t.machine.content("half of it");
  t.machine.content_failed();
  EXPECT_EQ(t.sent(), "");
  EXPECT_EQ(t.verdicts(), "temporary us 451 4.3.0 the message cannot be read from our queue");
  EXPECT_EQ(t.last.kind, Kind::close);
}

TEST(ClientMachine, ADrippingReplyDoesNotExtendTheTimeout) {
  Talk t;
  t.sent();
  EXPECT_TRUE(t.last.new_wait);
  t.say("220-mx\r\n");
  EXPECT_FALSE(t.last.new_wait);
  t.say("220 mx\r\n");
  EXPECT_TRUE(t.last.new_wait);
}

TEST(ClientMachine, AskingEndsBeforeData) {
  Talk t;
  t.purpose = ClientPurpose::ask;
  t.connect();
  t.begin({"b@example.com", "c@example.com"}, "");
  EXPECT_EQ(t.sent(),
            "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.com>\r\nRCPT TO:<c@example.com>\r\n");
  EXPECT_EQ(t.say("250 ok\r\n251 2.1.5 elsewhere\r\n550 5.1.1 no\r\n"), "");
  EXPECT_EQ(t.verdicts(), "delivered peer 251 2.1.5 elsewhere; permanent peer 550 5.1.1 no");
  EXPECT_EQ(t.last.kind, Kind::ready);
  // What it took is given up before anything else.
  t.purpose = ClientPurpose::deliver;
  t.begin({"d@example.com"}, "Hi\r\n");
  EXPECT_EQ(t.sent(),
            "RSET\r\nMAIL FROM:<a@example.org> SIZE=4\r\nRCPT TO:<d@example.com>\r\nDATA\r\n");
}

TEST(ClientMachine, AskingWithoutPipelining) {
  Talk t;
  t.purpose = ClientPurpose::ask;
  t.connect("250 mx.example.com\r\n");
  t.begin({"b@example.com"});
  EXPECT_EQ(t.sent(), "MAIL FROM:<a@example.org>\r\n");
  EXPECT_EQ(t.say("250 ok\r\n"), "RCPT TO:<b@example.com>\r\n");
  EXPECT_EQ(t.say("250 ok\r\n"), "");
  EXPECT_EQ(t.verdicts(), "delivered peer 250 ok");
  t.begin({"c@example.com"});
  EXPECT_EQ(t.sent(), "RSET\r\n");
  EXPECT_EQ(t.say("250 ok\r\n"), "MAIL FROM:<a@example.org>\r\n");
  EXPECT_EQ(t.say("550 5.1.8 not from you\r\n"), "");
  EXPECT_EQ(t.machine.outcomes().at(0).stage, ClientStage::mail);
  EXPECT_EQ(t.verdicts(), "permanent peer 550 5.1.8 not from you");
  EXPECT_EQ(t.last.kind, Kind::ready);
  t.machine.quit();
  EXPECT_EQ(t.sent(), "QUIT\r\n");
}

}  // namespace
}  // namespace postern::smtp
