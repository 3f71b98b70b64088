#include "dns/packet.h"

#include <gtest/gtest.h>

#include "dns/testing/message.h"

namespace postern::dns {
namespace {

std::span<const std::uint8_t> span_of(const std::string& bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

Question question_for(const std::string& wire_name, std::string name, Type type) {
  Question question{.id = 7,
                    .name = std::move(name),
                    .type = static_cast<std::uint16_t>(type),
                    .has_edns = true,
                    .bytes = wire_name};
  question.bytes += '\0';
  question.bytes += static_cast<char>(type);
  question.bytes += std::string("\0\1", 2);
  return question;
}

const std::string mail_wire("\4mail\7Example\0", 14);

Record record(Type type, std::string owner, std::uint32_t ttl) {
  Record made;
  made.type = type;
  made.owner = std::move(owner);
  made.ttl_seconds = ttl;
  return made;
}

TEST(DnsPacket, ReadsWhatItWrites) {
  Record alias = record(Type::cname, "mail.example", 50);
  alias.name = "real.example";
  Record a = record(Type::a, "real.example", 300);
  a.address = *IpAddress::parse("192.0.2.1");
  Record other = record(Type::a, "unasked.example", 300);
  other.address = *IpAddress::parse("192.0.2.2");
  const auto question = question_for(mail_wire, "mail.example", Type::a);
  const auto answer = read_answer(span_of(write_response(question, {alias, a, other}, {})),
                                  "mail.example", Type::a);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, Status::ok);
  EXPECT_EQ(answer->canonical_name, "real.example");
  EXPECT_EQ(answer->ttl_seconds, 50U);
  EXPECT_EQ(answer->addresses, std::vector{a.address}) << "a record of another name counts not";
}

TEST(DnsPacket, ReadsEveryType) {
  Record aaaa = record(Type::aaaa, "mail.example", 1);
  aaaa.address = *IpAddress::parse("2001:db8::1");
  Record mx = record(Type::mx, "mail.example", 2);
  mx.preference = 10;
  Record ptr = record(Type::ptr, "mail.example", 3);
  ptr.name = "a\\.b.example";
  Record txt = record(Type::txt, "mail.example", 4);
  txt.text = std::string(300, 'x');
  const auto ask = [](const Record& r) {
    const auto question = question_for(mail_wire, "mail.example", r.type);
    return read_answer(span_of(write_response(question, {r}, {})), "mail.example", r.type).value();
  };
  EXPECT_EQ(ask(aaaa).addresses, std::vector{aaaa.address});
  EXPECT_EQ(ask(mx).mail_exchanges, (std::vector<Mx>{{10, ""}})) << "null MX";
  EXPECT_EQ(ask(ptr).names, std::vector<std::string>{"a\\.b.example"});
  EXPECT_EQ(ask(txt).texts, std::vector<std::string>{txt.text});
}

TEST(DnsPacket, TellsResponseCodesApart) {
  const auto question = question_for(mail_wire, "mail.example", Type::a);
  struct Case {
    ResponseCode code;
    Status expected;
    std::uint32_t ttl;
  };
  for (const Case& c : {Case{ResponseCode::no_error, Status::no_data, 60},
                        Case{ResponseCode::nx_domain, Status::nx_domain, 60},
                        Case{ResponseCode::serv_fail, Status::serv_fail, 0},
                        Case{ResponseCode::refused, Status::serv_fail, 0}}) {
    const auto bytes = write_response(question, {}, {.code = c.code, .with_soa = true});
    const auto answer = read_answer(span_of(bytes), "mail.example", Type::a);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, c.expected);
    EXPECT_EQ(answer->ttl_seconds, c.ttl);
  }
  const auto without_soa =
      read_answer(span_of(write_response(question, {}, {})), "mail.example", Type::a);
  EXPECT_EQ(without_soa->ttl_seconds, 0U) << "RFC 2308: not to be kept";
}

TEST(DnsPacket, RefusesWhatIsNoAnswer) {
  Record a = record(Type::a, "mail.example", 300);
  a.address = *IpAddress::parse("192.0.2.1");
  const auto question = question_for(mail_wire, "mail.example", Type::a);
  const std::string good = write_response(question, {a}, {});
  ASSERT_TRUE(read_answer(span_of(good), "mail.example", Type::a));
  EXPECT_FALSE(read_answer(span_of(good), "other.example", Type::a)) << "another question";
  EXPECT_FALSE(read_answer(span_of(good), "mail.example", Type::aaaa)) << "another type";
  EXPECT_FALSE(read_answer(span_of(write_response(question, {a}, {.truncated = true})),
                           "mail.example", Type::a));
  // Every prefix that cuts into the answer is refused, whatever was cut. The OPT after it is not
  // read.
  const std::size_t opt_bytes = 11;
  for (std::size_t size = 0; size < good.size() - opt_bytes; ++size)
    EXPECT_FALSE(read_answer(span_of(good.substr(0, size)), "mail.example", Type::a)) << size;
  std::string query = good;
  query[2] = 0;
  EXPECT_FALSE(read_answer(span_of(query), "mail.example", Type::a)) << "no response";
}

TEST(DnsPacket, ReadsQuestions) {
  const std::string header("\0\7\1\0\0\1\0\0\0\0\0\0", 12);
  const std::string type_and_class("\0\1\0\1", 4);
  const std::string plain = header + mail_wire + type_and_class;
  const auto question = read_question(span_of(plain));
  ASSERT_TRUE(question);
  EXPECT_EQ(question->name, "mail.example");
  EXPECT_EQ(question->bytes, mail_wire + type_and_class) << "as it was written";
  EXPECT_FALSE(question->has_edns);
  EXPECT_FALSE(read_question(span_of(header + "\xc0\x03" + type_and_class)))
      << "a name that points into the header";
}

TEST(DnsPacket, PointersLeadBackOnly) {
  // Header, question for mail.example A, one PTR-less A record whose owner is a pointer.
  const auto with_owner = [](const std::string& owner) {
    std::string bytes("\0\7\x81\x80\0\1\0\1\0\0\0\0", 12);
    bytes += mail_wire + std::string("\0\1\0\1", 4) + owner +
             std::string("\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1", 14);
    return read_answer(span_of(bytes), "mail.example", Type::a);
  };
  ASSERT_TRUE(with_owner("\xc0\x0c"));
  EXPECT_EQ(with_owner("\xc0\x0c")->status, Status::ok) << "to the question";
  EXPECT_FALSE(with_owner("\xc0\x1e")) << "to itself";
  EXPECT_FALSE(with_owner("\xc0\x20")) << "forward";
  EXPECT_FALSE(with_owner("\xff\xff")) << "beyond the end";
  EXPECT_FALSE(with_owner("\x80\x0c")) << "reserved label type";
}

}  // namespace
}  // namespace postern::dns
