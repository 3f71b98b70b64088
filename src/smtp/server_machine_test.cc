#include "smtp/server_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "smtp/server_script.h"

namespace postern::smtp {
namespace {

using TlsOffer = ServerMachine::TlsOffer;

/// One session: what is sent (after the greeting), the codes that answer it, and why.
struct Dialog {
  std::string_view reason;
  std::string input;
  std::string codes;
};

const std::string ehlo = "EHLO c.example\r\n";
const std::string start = ehlo + "MAIL FROM:<a@b.example>\r\n";
const std::string ready = start + "RCPT TO:<c@d.example>\r\n";

std::vector<Dialog> sequences() {
  return {
      {"a whole session", ready + "DATA\r\nSubject: x\r\n\r\nhi\r\n.\r\nQUIT\r\n",
       "250 250 250 354 250 221"},
      {"two messages in one session", ready + "DATA\r\n.\r\n" + ready + "DATA\r\n.\r\n",
       "250 250 250 354 250 250 250 250 354 250"},
      {"verbs in any case",
       "ehlo c.example\r\nmail from:<a@b.example>\r\nrCpT tO:<c@d.example>\r\n", "250 250 250"},
      {"HELO", "HELO c.example\r\n", "250"},
      {"HELO without a name", "HELO\r\n", "501"},
      {"EHLO without a name", "EHLO \r\n", "501"},
      {"EHLO with two names", "EHLO a b\r\n", "501"},
      {"EHLO with an address literal", "EHLO [192.0.2.7]\r\n", "250"},
      {"MAIL before HELO", "MAIL FROM:<a@b.example>\r\n", "503"},
      {"RCPT before MAIL", ehlo + "RCPT TO:<a@b.example>\r\n", "250 503"},
      {"DATA before MAIL", ehlo + "DATA\r\n", "250 503"},
      {"DATA without recipients", start + "DATA\r\n", "250 250 554"},
      {"DATA after all recipients were refused", start + "RCPT TO:<no@d.example>\r\nDATA\r\n",
       "250 250 550 554"},
      {"one of two recipients refused",
       start + "RCPT TO:<no@d.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n.\r\n",
       "250 250 550 250 354 250"},
      {"a refused sender begins no transaction",
       ehlo + "MAIL FROM:<no@b.example>\r\nRCPT TO:<c@d.example>\r\nMAIL FROM:<a@b.example>\r\n",
       "250 550 503 250"},
      {"MAIL inside a transaction", start + "MAIL FROM:<a@b.example>\r\n", "250 250 503"},
      {"RSET ends a transaction", ready + "RSET\r\nDATA\r\nRSET\r\n", "250 250 250 250 503 250"},
      {"EHLO ends a transaction", ready + ehlo + "DATA\r\n", "250 250 250 250 503"},
      {"the null reverse path", ehlo + "MAIL FROM:<>\r\n", "250 250"},
      {"a blank behind the colon, as many write it", ehlo + "MAIL FROM: <a@b.example>\r\n",
       "250 250"},
  };
}

std::vector<Dialog> addresses() {
  return {
      {"no brackets", ehlo + "MAIL FROM:a@b.example\r\n", "250 501"},
      {"no address", ehlo + "MAIL FROM:\r\n", "250 501"},
      {"no FROM", ehlo + "MAIL <a@b.example>\r\n", "250 501"},
      {"no domain", ehlo + "MAIL FROM:<a>\r\n", "250 501"},
      {"postmaster alone is a recipient", start + "RCPT TO:<Postmaster>\r\n", "250 250 250"},
      {"the null path is no recipient", start + "RCPT TO:<>\r\n", "250 250 501"},
      {"8-bit address", ehlo + "MAIL FROM:<\xc3\xa4@b.example>\r\n", "250 553"},
      {"8-bit in another command", "EHLO \xc3\xa4.example\r\n", "500"},
      {"text glued to the address", ehlo + "MAIL FROM:<a@b.example>SIZE=1\r\n", "250 501"},
  };
}

std::vector<Dialog> parameters() {
  return {
      {"SIZE", ehlo + "MAIL FROM:<a@b.example> SIZE=1000\r\n", "250 250"},
      {"SIZE above the limit", ehlo + "MAIL FROM:<a@b.example> SIZE=99999999\r\n", "250 552"},
      {"SIZE beyond 64 bits", ehlo + "MAIL FROM:<a@b.example> SIZE=99999999999999999999\r\n",
       "250 552"},
      {"SIZE that is no number", ehlo + "MAIL FROM:<a@b.example> SIZE=1k\r\n", "250 501"},
      {"SIZE without a value", ehlo + "MAIL FROM:<a@b.example> SIZE\r\n", "250 501"},
      {"SIZE with an empty value", ehlo + "MAIL FROM:<a@b.example> SIZE=\r\n", "250 501"},
      {"SIZE twice", ehlo + "MAIL FROM:<a@b.example> SIZE=1 SIZE=1\r\n", "250 501"},
      {"BODY", ehlo + "MAIL FROM:<a@b.example> BODY=8bitmime\r\n", "250 250"},
      {"BODY=BINARYMIME needs an extension we lack",
       ehlo + "MAIL FROM:<a@b.example> BODY=BINARYMIME\r\n", "250 501"},
      {"an unknown parameter", ehlo + "MAIL FROM:<a@b.example> FOO=1\r\n", "250 555"},
      {"SMTPUTF8 is not offered", ehlo + "MAIL FROM:<a@b.example> SMTPUTF8\r\n", "250 555"},
      {"AUTH= is not offered", ehlo + "MAIL FROM:<a@b.example> AUTH=<>\r\n", "250 555"},
      {"parameters after HELO", "HELO c.example\r\nMAIL FROM:<a@b.example> SIZE=1\r\n", "250 555"},
      {"DSN", ehlo + "MAIL FROM:<a@b.example> RET=HDRS ENVID=a+20b\r\n", "250 250"},
      {"RET wrong", ehlo + "MAIL FROM:<a@b.example> RET=ALL\r\n", "250 501"},
      {"ENVID that hides a line end", ehlo + "MAIL FROM:<a@b.example> ENVID=a+0D+0Ab\r\n",
       "250 501"},
      {"ENVID too long", ehlo + "MAIL FROM:<a@b.example> ENVID=" + std::string(101, 'e') + "\r\n",
       "250 501"},
      {"NOTIFY list", start + "RCPT TO:<c@d.example> NOTIFY=SUCCESS,DELAY\r\n", "250 250 250"},
      {"NOTIFY=NEVER stands alone", start + "RCPT TO:<c@d.example> NOTIFY=NEVER,DELAY\r\n",
       "250 250 501"},
      {"NOTIFY with an empty word", start + "RCPT TO:<c@d.example> NOTIFY=DELAY,\r\n",
       "250 250 501"},
      {"ORCPT", start + "RCPT TO:<c@d.example> ORCPT=rfc822;x+2By@d.example\r\n", "250 250 250"},
      {"ORCPT without a type", start + "RCPT TO:<c@d.example> ORCPT=x@d.example\r\n",
       "250 250 501"},
      {"ORCPT that is no xtext", start + "RCPT TO:<c@d.example> ORCPT=rfc822;a+zz\r\n",
       "250 250 501"},
  };
}

std::vector<Dialog> other_commands() {
  return {
      {"NOOP with text", "NOOP what ever\r\n", "250"},
      {"RSET with text", "RSET x\r\n", "501"},
      {"DATA with text", ready + "DATA x\r\n", "250 250 250 501"},
      {"QUIT with text", "QUIT x\r\n", "501"},
      {"QUIT with blanks", "QUIT  \r\nNOOP\r\n", "221"},
      {"VRFY", "VRFY bob\r\n", "252"},
      {"VRFY of nobody", "VRFY\r\n", "501"},
      {"HELP", "HELP\r\nHELP MAIL\r\n", "214 214"},
      {"unknown", "FOO\r\nMAILFROM:<a@b>\r\n\r\n", "500 500 500"},
      {"known, not offered", "EXPN x\r\nAUTH PLAIN\r\nBDAT 3\r\nETRN x\r\nSTARTTLS\r\n",
       "502 502 502 502 502"},
      {"XCLIENT of anybody", "XCLIENT ADDR=192.0.2.1 NAME=trusted.example.com\r\n", "550"},
      {"a binary PROXY header", std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11", 14), "500 500 554"},
      {"a browser", "POST / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<a@b.example>\r\n", "554"},
      {"NUL in an address", ehlo + std::string("MAIL FROM:<a\0b@c.example>\r\n", 27), "250 501"},
      {"CR in an address", ehlo + "MAIL FROM:<a\rRCPT TO:<x@c.example>\r\n", "250 501"},
      {"a tab in a command", "EHLO\tx\r\n", "501"},
      {"bare LF ends no command", "NOOP\nMAIL FROM:<a@b.example>\nNOOP\r\n", "500 500 250"},
      {"an over-long line, then a good one", "NOOP " + std::string(5000, 'x') + "\r\nNOOP\r\n",
       "500 250"},
      {"a line of the greatest length", "NOOP " + std::string(2041, 'x') + "\r\n", "250"},
      {"one byte more", "NOOP " + std::string(2042, 'x') + "\r\n", "500"},
  };
}

std::vector<Dialog> refused_clients() {
  const std::string no = "EHLO no.example\r\n";
  const std::string mail = "MAIL FROM:<a@b.example>\r\n";
  return {
      {"a refused greeting, and QUIT", no + "QUIT\r\n", "550 221"},
      {"it falls back to HELO", no + "HELO no.example\r\n", "550 550"},
      {"MAIL hears the same", no + mail + mail, "550 550 550"},
      {"RCPT and DATA are out of sequence", no + "RCPT TO:<c@d.example>\r\nDATA\r\n",
       "550 503 503"},
      {"a message in one write", no + mail + "RCPT TO:<c@d.example>\r\nDATA\r\nQUIT\r\n",
       "550 550 503 503 221"},
      {"another greeting that is accepted", no + start, "550 250 250"},
      {"NOOP and RSET go on working", no + "NOOP\r\nRSET\r\n", "550 250 250"},
      {"a refused greeting leaves the transaction as it was", ready + no + "DATA\r\n.\r\n",
       "250 250 250 550 354 250"},
  };
}

std::vector<Dialog> dialogs() {
  std::vector<Dialog> all;
  for (const auto& part :
       {sequences(), addresses(), parameters(), other_commands(), refused_clients()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

TEST(ServerMachine, AnswersEveryDialogTheSameInAnyChunks) {
  for (const Dialog& dialog : dialogs()) {
    std::string whole;
    for (const std::size_t chunk : {0, 1, 2, 3, 7, 100}) {
      ServerScript script;
      EXPECT_EQ(script.replies(), "220 gw.example.com ESMTP Postern\r\n");
      script.feed(dialog.input, chunk);
      if (chunk == 0) whole = script.sent;
      EXPECT_EQ(script.sent, whole) << dialog.reason << ", in chunks of " << chunk;
      EXPECT_EQ(script.first_digits(), dialog.codes) << dialog.reason;
    }
  }
}

TEST(ServerMachine, SaysExactlyThisInAWholeSession) {
  ServerScript script;
  script.replies();
  script.feed("EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n");
  EXPECT_EQ(script.replies(),
            "250-gw.example.com\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n"
            "250-ENHANCEDSTATUSCODES\r\n250 DSN\r\n250 2.1.0 Sender ok\r\n"
            "250 2.1.5 Recipient ok\r\n354 End data with <CRLF>.<CRLF>\r\n");
  EXPECT_EQ(script.last_read.wait, ServerMachine::Wait::data);
  EXPECT_EQ(script.last_read.timeout, std::chrono::minutes(3));
  script.feed("..dot\r\n.\r\nQUIT\r\n");
  EXPECT_EQ(script.replies(),
            "250 2.0.0 Queued\r\n221 2.0.0 gw.example.com closing connection\r\n");
  EXPECT_THAT(script.messages, testing::ElementsAre(".dot\r\n"));
  EXPECT_TRUE(script.closed);
  EXPECT_EQ(script.drops, 0U);
}

TEST(ServerMachine, AnswersAPipelinedGroupInOneWrite) {
  ServerScript script;
  script.feed("EHLO c.example\r\n");
  const std::size_t before = script.writes;
  script.feed("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<no@x.y>\r\nDATA\r\n");
  EXPECT_EQ(script.writes, before + 1);
}

TEST(ServerMachine, KeepsParametersInTheEnvelope) {
  ServerScript script;
  script.feed(
      "EHLO c.example\r\nMAIL FROM:<a@b.example> BODY=8BITMIME RET=FULL ENVID=q+2B1\r\n"
      "RCPT TO:<@r.example:\"c d\"@d.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;c+20d@d.example\r\n"
      "RCPT TO:<e@d.example> NOTIFY=NEVER\r\nDATA\r\n.\r\n");
  ASSERT_EQ(script.envelopes.size(), 1U);
  const mail::Envelope& envelope = script.envelopes[0];
  EXPECT_EQ(envelope.reverse_path, "a@b.example");
  EXPECT_EQ(envelope.body, mail::BodyType::eight_bit_mime);
  EXPECT_EQ(envelope.dsn_return, mail::DsnReturn::full);
  EXPECT_EQ(envelope.envelope_id, "q+1");
  ASSERT_EQ(envelope.recipients.size(), 2U);
  EXPECT_EQ(envelope.recipients[0].address, "\"c d\"@d.example");
  EXPECT_EQ(envelope.recipients[0].original_recipient, "rfc822;c d@d.example");
  EXPECT_TRUE(envelope.recipients[0].notify.failure && envelope.recipients[0].notify.delay);
  EXPECT_FALSE(envelope.recipients[0].notify.success);
  EXPECT_TRUE(envelope.recipients[1].notify.never);
}

TEST(ServerMachine, RefusesOneWhoTalksBeforeTheGreeting) {
  ServerOptions options;
  options.hostname = "gw.example.com";
  ServerMachine machine(options, TlsOffer::none);
  machine.feed("EHLO c.example\r\n");
  auto action = machine.next();
  ASSERT_TRUE(std::holds_alternative<ServerMachine::Send>(action));
  EXPECT_EQ(std::get<ServerMachine::Send>(action).bytes,
            "554 5.5.1 You talked before the greeting\r\n");
  EXPECT_TRUE(std::holds_alternative<ServerMachine::Close>(machine.next()));
}

TEST(ServerMachine, TurnsClientsAwayInPlaceOfTheGreeting) {
  ServerScript busy({}, TlsOffer::none, {}, Reply(421, {4, 7, 25}, "no"));
  EXPECT_EQ(busy.replies(), "421 4.7.25 no\r\n");
  EXPECT_TRUE(busy.closed);

  for (const std::size_t chunk : {0U, 1U, 7U}) {
    ServerOptions options;
    options.errors_max = 6;
    ServerScript refused(options, TlsOffer::starttls, {}, Reply(554, {5, 7, 25}, "no"));
    EXPECT_EQ(refused.replies(), "554 5.7.25 no\r\n");
    refused.feed(ready + "DATA\r\nNOOP\r\nSTARTTLS\r\nQUIT\r\n", chunk);
    EXPECT_EQ(refused.first_digits(), "503 503 503 503 503 503 221");
    EXPECT_TRUE(refused.closed);
  }
  ServerOptions options;
  options.errors_max = 2;
  ServerScript stubborn(options, TlsOffer::none, {}, Reply(554, {5, 7, 25}, "no"));
  stubborn.feed(ready);
  EXPECT_EQ(stubborn.first_digits(), "554 503 503 421") << "not for ever";
}

TEST(ServerMachine, WhatIsSentBehindARefusedMailIsNoError) {
  ServerOptions options;
  options.errors_max = 1;
  ServerScript script(options);
  std::string group = ehlo + "MAIL FROM:<no@b.example>\r\n";
  for (int i = 0; i < 5; ++i) group += "RCPT TO:<c@d.example>\r\n";
  script.feed(group + "DATA\r\n");
  EXPECT_EQ(script.first_digits(), "220 250 550 503 503 503 503 503 503");
  EXPECT_EQ(script.machine.errors(), 0U);
  script.feed("RSET\r\nRCPT TO:<c@d.example>\r\n");
  EXPECT_EQ(script.first_digits(), "250 503");
  EXPECT_EQ(script.machine.errors(), 1U);
}

TEST(ServerMachine, EndsTheSessionAfterTooManyErrors) {
  ServerOptions options;
  options.errors_max = 3;
  ServerScript script(options);
  script.replies();
  script.feed("A\r\nB\r\nC\r\nNOOP\r\nD\r\nNOOP\r\n");
  EXPECT_EQ(script.first_digits(), "500 500 500 250 421");
  EXPECT_TRUE(script.closed);
}

TEST(ServerMachine, CountsCommandsThatDoNothing) {
  ServerScript script;
  for (int i = 0; i < 1000 && !script.closed; ++i) script.feed("NOOP\r\n");
  EXPECT_TRUE(script.closed);
  EXPECT_TRUE(script.sent.ends_with("421 4.7.0 Too many errors\r\n"));
}

TEST(ServerMachine, RefusedRecipientsAreNoErrors) {
  ServerScript script;
  script.feed("EHLO c.example\r\nMAIL FROM:<a@b.example>\r\n");
  for (int i = 0; i < 500; ++i) script.feed("RCPT TO:<no@d.example>\r\n");
  EXPECT_FALSE(script.closed);
}

TEST(ServerMachine, BoundsRecipients) {
  ServerOptions options;
  options.recipients_max = 2;
  ServerScript script(options);
  script.replies();
  script.feed(
      "EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<no@d.example>\r\n"
      "RCPT TO:<c@d.example>\r\nRCPT TO:<e@d.example>\r\nDATA\r\n.\r\n");
  EXPECT_EQ(script.first_digits(), "250 250 550 250 452 354 250");
  EXPECT_EQ(script.envelopes[0].recipients.size(), 1U);
}

TEST(ServerMachine, RefusesWhatProvesTooBig) {
  ServerOptions options;
  options.message_bytes_max = 10;
  for (const std::size_t chunk : {0, 1, 5}) {
    ServerScript script(options);
    script.replies();
    script.feed("EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n");
    script.replies();
    script.feed("12345678\r\nx\r\n.\r\nNOOP\r\n", chunk);
    EXPECT_EQ(script.replies(), "552 5.3.4 Message too big; at most 10 bytes\r\n250 2.0.0 Ok\r\n");
    EXPECT_EQ(script.drops, 1U);
    EXPECT_TRUE(script.messages.empty());
    // Exactly the limit is not above it.
    script.feed("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n12345678\r\n.\r\n");
    EXPECT_EQ(script.messages.size(), 1U);
  }
}

TEST(ServerMachine, StartsTlsAndForgetsWhatWasBefore) {
  ServerScript script({}, TlsOffer::starttls);
  script.feed("EHLO c.example\r\n");
  EXPECT_THAT(script.replies(), testing::HasSubstr("250-STARTTLS\r\n"));
  script.feed("MAIL FROM:<a@b.example>\r\n");
  script.replies();
  script.feed("STARTTLS\r\n");
  EXPECT_EQ(script.replies(), "220 2.0.0 Ready to start TLS\r\n");
  EXPECT_EQ(script.handshakes, 1U);
  EXPECT_EQ(script.drops, 1U);
  EXPECT_TRUE(script.machine.helo().empty());
  script.feed("MAIL FROM:<a@b.example>\r\nEHLO c.example\r\nSTARTTLS\r\n");
  const std::string replies = script.replies();
  EXPECT_TRUE(replies.starts_with("503 5.5.1 Send HELO or EHLO first\r\n"));
  EXPECT_THAT(replies, testing::Not(testing::HasSubstr("250-STARTTLS")));
  EXPECT_TRUE(replies.ends_with("503 5.5.1 TLS is already active\r\n"));
}

TEST(ServerMachine, RefusesTextBehindStarttls) {
  ServerScript script({}, TlsOffer::starttls);
  script.feed("EHLO c.example\r\n");
  script.replies();
  script.feed("STARTTLS\r\nMAIL FROM:<smuggled@example.org>\r\n");
  EXPECT_EQ(script.replies(), "554 5.5.1 Nothing may follow STARTTLS before the handshake\r\n");
  EXPECT_EQ(script.handshakes, 0U);
  EXPECT_TRUE(script.closed);
}

TEST(ServerMachine, NormalizesBareNewlinesWhereToldTo) {
  ServerOptions options;
  options.bare_newline = BareNewline::normalize;
  for (const std::size_t chunk : {0, 1, 2}) {
    ServerScript script(options);
    script.replies();
    script.feed("EHLO c.example\nMAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\nDATA\n", chunk);
    script.feed("a\n.\nb\r.\r\nc\r\n.\r\n", chunk);
    EXPECT_EQ(script.first_digits(), "250 250 250 354 250");
    EXPECT_THAT(script.messages, testing::ElementsAre("a\r\n.\r\nb\r\n.\r\nc\r\n"));
  }
}

TEST(ServerMachine, TimesOutWithAReply) {
  ServerScript script;
  script.feed("EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRC");
  script.replies();
  EXPECT_EQ(script.last_read.wait, ServerMachine::Wait::rest_of_command);
  EXPECT_EQ(script.last_read.timeout, std::chrono::minutes(5));
  script.machine.timed_out();
  script.run();
  EXPECT_EQ(script.replies(), "421 4.4.2 gw.example.com waited too long, closing connection\r\n");
  EXPECT_EQ(script.drops, 1U);
  EXPECT_TRUE(script.closed);
}

TEST(ServerMachine, DropsTheMessageOfAClientThatLeaves) {
  ServerScript script;
  script.feed("EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nhalf");
  script.replies();
  script.machine.peer_closed();
  script.run();
  EXPECT_EQ(script.replies(), "");
  EXPECT_EQ(script.drops, 1U);
  EXPECT_TRUE(script.closed);
  EXPECT_TRUE(script.messages.empty());
}

TEST(ServerMachine, FinishesDataBeforeItShutsDown) {
  ServerScript script;
  script.feed("EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nx");
  script.replies();
  script.machine.shut_down();
  script.feed("\r\n.\r\nNOOP\r\n");
  EXPECT_EQ(script.replies(),
            "250 2.0.0 Queued\r\n421 4.3.2 gw.example.com is shutting down, try again later\r\n");
  EXPECT_TRUE(script.closed);
}

TEST(ServerMachine, DriverMayRefuseDataMidway) {
  ServerScript script;
  script.feed(
      "EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nx\r\n");
  script.replies();
  script.machine.refuse_data({554, {5, 4, 6}, "Loop"});
  script.machine.refuse_data({451, {4, 3, 0}, "The first one stands"});
  script.feed("y\r\n.\r\nNOOP\r\n");
  EXPECT_EQ(script.replies(), "554 5.4.6 Loop\r\n250 2.0.0 Ok\r\n");
  EXPECT_EQ(script.drops, 1U);
}

TEST(ServerMachine, WritesBeforeRepliesFillMemory) {
  ServerScript script;
  std::string flood = "EHLO c.example\r\n";
  for (int i = 0; i < 90; ++i) flood += "EHLO c.example\r\n";
  const std::size_t before = script.writes;
  script.feed(flood);
  EXPECT_GT(script.writes, before + 1);
}

TEST(ServerMachine, ForgetsATransactionWithA421Answer) {
  ServerOptions options;
  options.hostname = "gw.example.com";
  ServerMachine machine(options, TlsOffer::none);
  machine.next();
  machine.feed("EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n");
  while (!std::holds_alternative<ServerMachine::CheckRcpt>(machine.next())) {
    if (machine.greeting() == Greeting::ehlo) machine.accept();
  }
  machine.answer({421, {4, 7, 0}, "Go"});
  EXPECT_TRUE(std::holds_alternative<ServerMachine::DropTransaction>(machine.next()));
  const auto send = std::get<ServerMachine::Send>(machine.next());
  EXPECT_TRUE(send.bytes.ends_with("421 4.7.0 Go\r\n"));
  EXPECT_TRUE(std::holds_alternative<ServerMachine::Close>(machine.next()));
}

}  // namespace
}  // namespace postern::smtp
