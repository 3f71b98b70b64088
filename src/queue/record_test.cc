#include "queue/record.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sstream>

#include "base/random.h"
#include "support/source_path.h"

namespace postern::queue {
namespace {

StoredMessage sample() {
  StoredMessage out;
  out.place = ContentPlace::file;
  out.content_crc = 0xdeadbeef;
  QueuedMessage& message = out.message;
  message.id = MessageId{0x0123456789abcdefULL};
  message.content_bytes = 5'000'000'000;
  message.envelope.reverse_path = "sender@example.com";
  message.envelope.body = mail::BodyType::eight_bit_mime;
  message.envelope.smtputf8 = true;
  message.envelope.dsn_return = mail::DsnReturn::headers;
  message.envelope.envelope_id = "QQ314159";
  message.provenance.client = *IpAddress::parse("2001:db8::25");
  message.provenance.client_name = "client.example.com";
  message.provenance.helo = "client";
  message.provenance.protocol = "ESMTPS";
  message.provenance.arrived = WallTime(seconds(1'700'000'000));
  for (int i = 0; i < 3; ++i) {
    QueuedRecipient recipient;
    recipient.recipient.address = "user" + std::to_string(i) + "@example.org";
    recipient.recipient.notify = {.specified = true, .failure = true, .delay = i == 1};
    recipient.recipient.original_recipient = "rfc822;first@example.org";
    recipient.state = i == 2 ? RecipientState::failed : RecipientState::waiting;
    recipient.attempts = 300;
    recipient.next_attempt = WallTime(Duration(-1));
    recipient.last_reply = "450 4.2.0 later";
    recipient.last_remote = "mx.example.org [192.0.2.1]:25";
    message.recipients.push_back(recipient);
  }
  message.lifetime_from = message.provenance.arrived;
  return out;
}

// What came after version 1.
StoredMessage sample_2() {
  StoredMessage out = sample();
  out.message.held = true;
  out.message.lifetime_from = WallTime(seconds(1'800'000'000));
  out.message.recipients[0].delay_told = true;
  out.message.recipients[0].last_attempt = WallTime(seconds(1'700'000'100));
  out.message.recipients[1].state = RecipientState::dead;
  return out;
}

void expect_equal(const StoredMessage& after, const StoredMessage& before) {
  EXPECT_EQ(after.place, before.place);
  EXPECT_EQ(after.content_crc, before.content_crc);
  EXPECT_EQ(after.message.id, before.message.id);
  EXPECT_EQ(after.message.content_bytes, before.message.content_bytes);
  EXPECT_EQ(after.message.held, before.message.held);
  EXPECT_EQ(after.message.lifetime_from, before.message.lifetime_from);
  EXPECT_EQ(after.message.envelope, before.message.envelope);
  EXPECT_EQ(after.message.provenance.client, before.message.provenance.client);
  EXPECT_EQ(after.message.provenance.client_name, before.message.provenance.client_name);
  EXPECT_EQ(after.message.provenance.helo, before.message.provenance.helo);
  EXPECT_EQ(after.message.provenance.protocol, before.message.provenance.protocol);
  EXPECT_EQ(after.message.provenance.arrived, before.message.provenance.arrived);
  ASSERT_EQ(after.message.recipients.size(), before.message.recipients.size());
  for (std::size_t i = 0; i < after.message.recipients.size(); ++i) {
    const QueuedRecipient& a = after.message.recipients[i];
    const QueuedRecipient& b = before.message.recipients[i];
    EXPECT_EQ(a.recipient, b.recipient);
    EXPECT_EQ(a.state, b.state);
    EXPECT_EQ(a.delay_told, b.delay_told);
    EXPECT_EQ(a.attempts, b.attempts);
    EXPECT_EQ(a.next_attempt, b.next_attempt);
    EXPECT_EQ(a.last_attempt, b.last_attempt);
    EXPECT_EQ(a.last_reply, b.last_reply);
    EXPECT_EQ(a.last_remote, b.last_remote);
  }
}

std::string seed(const char* name) {
  std::ifstream file(source_path(std::string("tests/corpus/record/") + name), std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

TEST(Record, IsReadAsItWasWritten) {
  for (const StoredMessage& before : {sample(), sample_2()}) {
    const auto bytes = encode_record(before);
    ASSERT_TRUE(bytes);
    const auto after = decode_record(*bytes);
    ASSERT_TRUE(after) << after.error().what;
    expect_equal(*after, before);
  }
}

// They were not made by this encoder, and hold every flag, state and bound of the format.
TEST(Record, SeedsOfVersion2AreReadAndWrittenAgainAsTheyAre) {
  std::size_t count = 0;
  std::set<RecipientState> states;
  for (const auto& entry :
       std::filesystem::directory_iterator(source_path("tests/corpus/record"))) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("version-2")) continue;
    ++count;
    const std::string bytes = seed(name.c_str());
    const auto stored = decode_record(bytes);
    ASSERT_TRUE(stored) << name << ": " << stored.error().what;
    EXPECT_TRUE(encode_record(*stored) == bytes) << name;
    for (const QueuedRecipient& recipient : stored->message.recipients)
      states.insert(recipient.state);
  }
  EXPECT_GE(count, 7U);
  EXPECT_EQ(states.size(), 4U);
}

TEST(Record, ReadableFieldsOfADamagedOne) {
  const StoredMessage before = sample_2();
  std::string bytes = *encode_record(before);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  ASSERT_FALSE(decode_record(bytes));
  const QueuedMessage fields = readable_fields(bytes);
  EXPECT_EQ(fields.envelope.reverse_path, before.message.envelope.reverse_path);
  EXPECT_EQ(fields.recipients.size(), before.message.recipients.size());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const QueuedMessage cut = readable_fields(std::string_view(bytes).substr(0, size));
    EXPECT_LE(cut.recipients.size(), before.message.recipients.size());
    EXPECT_FALSE(is_of_newer_version(std::string_view(bytes).substr(0, size)));
  }
}

// Bytes that the first Postern wrote. What it did not know has the value that changes nothing.
TEST(Record, Version1IsRead) {
  const auto after = decode_record(seed("version-1"));
  ASSERT_TRUE(after) << after.error().what;
  expect_equal(*after, sample());
}

// What is written today must be read tomorrow: a change of the format is a new version and seed.
TEST(Record, Version2IsWhatItWas) {
  EXPECT_EQ(seed("version-2"), *encode_record(sample_2()));
}

TEST(Record, EachTruncationAndEachFlippedBitIsDamage) {
  const std::string bytes = *encode_record(sample());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto read = decode_record(std::string_view(bytes).substr(0, size));
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error().cause, Cause::damaged);
  }
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_FALSE(decode_record(flipped)) << bit;
  }
}

std::string with_crc(std::string body) {
  const std::uint32_t crc = crc32_of(body);
  for (int shift = 24; shift >= 0; shift -= 8) body.push_back(static_cast<char>(crc >> shift));
  return body;
}

TEST(Record, WrongFieldsUnderARightChecksumAreNamed) {
  const std::string bytes = *encode_record(sample());
  const std::string body = bytes.substr(0, bytes.size() - 4);
  std::string newer = body;
  newer[0] = 9;
  EXPECT_NE(decode_record(with_crc(newer)).error().what.find("version 9"), std::string::npos);
  std::string place = body;
  place[9] = 2;
  std::string flags = body;
  flags[10] = 2;
  EXPECT_NE(decode_record(with_crc(flags)).error().what.find("\"flags\""), std::string::npos);
  EXPECT_NE(decode_record(with_crc(place)).error().what.find("content place"), std::string::npos);
  EXPECT_NE(decode_record(with_crc(body + "x")).error().what.find("left over"), std::string::npos);
  for (std::size_t size = 1; size < body.size(); ++size)
    ASSERT_FALSE(decode_record(with_crc(body.substr(0, size)))) << size;
}

TEST(Record, AnyBytesUnderARightChecksumDoNoHarm) {
  const std::string bytes = *encode_record(sample());
  SplitMix64 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string body = bytes.substr(0, bytes.size() - 4);
    for (std::uint64_t changes = 1 + random.below(4); changes > 0; --changes)
      body[random.below(body.size())] = static_cast<char>(random.next());
    const auto read = decode_record(with_crc(body));
    if (!read) continue;
    const auto again = decode_record(*encode_record(*read));
    ASSERT_TRUE(again);
    ASSERT_EQ(*encode_record(*again), *encode_record(*read));
  }
}

TEST(Record, BoundsAreKeptWhenItIsWritten) {
  StoredMessage stored = sample();
  stored.message.recipients[0].last_reply = std::string(5000, 'r');
  const auto cut = decode_record(*encode_record(stored));
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->message.recipients[0].last_reply.size(), record_reply_bytes_max);
  stored.message.envelope.reverse_path = std::string(record_string_bytes_max + 1, 'a');
  const auto refused = encode_record(stored);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().cause, Cause::limit);
}

TEST(MessageId, TextAndBack) {
  for (const std::uint64_t value : {0ULL, 1ULL, 31ULL, 32ULL, 0x0123456789abcdefULL, ~0ULL}) {
    const std::string text = MessageId{value}.text();
    EXPECT_EQ(text.size(), 13U);
    EXPECT_EQ(MessageId::parse(text), MessageId{value}) << text;
  }
  EXPECT_EQ(MessageId{~0ULL}.text(), "FZZZZZZZZZZZZ");
  EXPECT_EQ(MessageId::parse("oooooooooooiL"), MessageId{33});
  EXPECT_LT(MessageId{99}.text(), MessageId{100}.text());
  EXPECT_FALSE(MessageId::parse(""));
  EXPECT_FALSE(MessageId::parse("000000000000"));    // 12
  EXPECT_FALSE(MessageId::parse("00000000000000"));  // 14
  EXPECT_FALSE(MessageId::parse("G000000000000"));   // 65 bits
  EXPECT_FALSE(MessageId::parse("U000000000000"));   // no letter of the alphabet
  EXPECT_FALSE(MessageId::parse("000000-000000"));
}

TEST(Keys, HoldTheIdInOrder) {
  EXPECT_LT(message_key(MessageId{255}), message_key(MessageId{256}));
  EXPECT_EQ(id_of_key(message_key(MessageId{77})), MessageId{77});
  EXPECT_EQ(id_of_key("damaged/" + message_key(MessageId{77})), MessageId{77});
  EXPECT_EQ(id_of_key(dead_key(MessageId{77})), MessageId{77});
  EXPECT_FALSE(id_of_key(content_key(MessageId{77})));
  EXPECT_FALSE(id_of_key("m/short"));
}

}  // namespace
}  // namespace postern::queue
