#include "dns/resolver.h"

namespace postern::dns {

std::string_view status_name(Status status) {
  switch (status) {
    case Status::ok:
      return "NOERROR";
    case Status::no_data:
      return "NODATA";
    case Status::nx_domain:
      return "NXDOMAIN";
    case Status::serv_fail:
      return "SERVFAIL";
    case Status::bogus:
      return "BOGUS";
    case Status::timed_out:
      return "TIMEOUT";
  }
  return "?";
}

std::string_view type_name(Type type) {
  switch (type) {
    case Type::a:
      return "A";
    case Type::cname:
      return "CNAME";
    case Type::ptr:
      return "PTR";
    case Type::mx:
      return "MX";
    case Type::txt:
      return "TXT";
    case Type::aaaa:
      return "AAAA";
  }
  return "?";
}

}  // namespace postern::dns
