#include "session/session_places.h"

#include <gtest/gtest.h>

namespace postern::session {
namespace {

const IpAddress a = *IpAddress::parse("192.0.2.1");
const IpAddress b = *IpAddress::parse("192.0.2.2");

TEST(SessionPlaces, AreCountedForEachClient) {
  SessionPlaces places;
  SessionPlaces::Place first(places);
  SessionPlaces::Place second(places);
  EXPECT_TRUE(first.take(a, 1));
  EXPECT_FALSE(second.take(a, 1));
  EXPECT_TRUE(second.take(b, 1));
}

TEST(SessionPlaces, AreGivenBackAtTheEnd) {
  SessionPlaces places;
  {
    SessionPlaces::Place first(places);
    EXPECT_TRUE(first.take(a, 1));
    const SessionPlaces::Place moved(std::move(first));
  }
  SessionPlaces::Place next(places);
  EXPECT_TRUE(next.take(a, 1));
}

TEST(SessionPlaces, FollowTheClient) {
  SessionPlaces places;
  SessionPlaces::Place proxied(places);
  EXPECT_TRUE(proxied.take(a, 1));
  EXPECT_TRUE(proxied.take(b, 1));
  SessionPlaces::Place other(places);
  EXPECT_TRUE(other.take(a, 1));
  EXPECT_FALSE(other.take(b, 1)) << "b's place is taken, and a's is lost by trying";
  SessionPlaces::Place third(places);
  EXPECT_TRUE(third.take(a, 1));
}

/// Taking its own address again is no second place.
TEST(SessionPlaces, ATakenPlaceMayBeTakenAgain) {
  SessionPlaces places;
  SessionPlaces::Place place(places);
  EXPECT_TRUE(place.take(a, 1));
  EXPECT_TRUE(place.take(a, 1));
}

}  // namespace
}  // namespace postern::session
