# What Mail::DeliveryStatus::BounceParser makes of the report on standard input, as JSON.
use strict;
use warnings;
use JSON::PP;
use Mail::DeliveryStatus::BounceParser;

local $/;
my $bounce = Mail::DeliveryStatus::BounceParser->new(scalar <STDIN>);
my @names = qw(email reason std_reason status smtp_code final-recipient reporting-mta);
my @reports = map { my $r = $_; +{ map { $_ => scalar $r->get($_) } @names } } $bounce->reports;
print JSON::PP->new->canonical->encode({
  is_bounce => $bounce->is_bounce ? JSON::PP::true : JSON::PP::false,
  addresses => [$bounce->addresses],
  orig_message_id => $bounce->orig_message_id,
  reports => \@reports,
});
