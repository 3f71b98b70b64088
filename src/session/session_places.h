#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>

#include "base/ip.h"

namespace postern::session {

/// How many sessions each client's address has. One for each shard; outlives its places. Holds one
/// small entry for each address that has a session.
class SessionPlaces {
 public:
  /// One session's place among its client's; given back when it is destroyed.
  class Place {
   public:
    /// Nobody's yet: of a connection whose client is not known.
    explicit Place(SessionPlaces& places) : places_(&places) {}
    Place(Place&& other) noexcept
        : places_(other.places_),
          client_(other.client_),
          taken_(std::exchange(other.taken_, false)) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    Place& operator=(Place&&) = delete;
    ~Place() { leave(); }

    /// Becomes a place of this client's, and no longer one of whose it was. False, and then it is
    /// nobody's: the client has `max` already.
    bool take(const IpAddress& client, std::size_t max);

   private:
    void leave();

    SessionPlaces* places_;
    IpAddress client_;
    bool taken_ = false;
  };

 private:
  std::unordered_map<IpAddress, std::uint32_t> taken_;
};

}  // namespace postern::session
