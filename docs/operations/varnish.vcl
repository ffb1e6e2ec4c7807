vcl 4.1;

# Varnish 7 in front of Millrace's queries, purged by Surrogate-Key. It needs the vmod xkey (Debian: varnish-modules). The tests run this file.
import xkey;

backend gateway {
  .host = "127.0.0.1";
  .port = "8080";
}

# From where analytics-query purges. Where TLS ends on this machine everybody comes from 127.0.0.1: then the token alone protects it.
acl purgers {
  "127.0.0.1";
}

sub vcl_recv {
  if (req.method == "PURGE") {
    if (client.ip !~ purgers || req.http.Purge-Token != "change-me") {
      return (synth(403));
    }
    if (!req.http.Surrogate-Key) {
      return (synth(400));
    }
    set req.http.X-Purged = xkey.purge(req.http.Surrogate-Key);
    return (synth(200, "purged " + req.http.X-Purged));
  }
  # By itself Varnish keeps nothing that is asked for with Authorization. The gateway says which answers may be kept, and Vary keeps those of one key
  # from another.
  if (req.url ~ "^/api/v1/query/" && (req.method == "GET" || req.method == "HEAD")) {
    return (hash);
  }
  return (pass);
}

sub vcl_backend_response {
  set beresp.http.xkey = beresp.http.Surrogate-Key;
  # Of itself Varnish would give every answer for 10 s longer than it may.
  if (beresp.http.Cache-Control !~ "stale-while-revalidate") {
    set beresp.grace = 0s;
  }
  # So much longer an answer is kept to be asked about with its ETag.
  set beresp.keep = 1h;
}

sub vcl_deliver {
  unset resp.http.xkey;
  unset resp.http.Surrogate-Key;
  if (obj.hits == 0) {
    set resp.http.X-Cache = "MISS";
  } elseif (obj.ttl > 0s) {
    set resp.http.X-Cache = "HIT";
  } else {
    set resp.http.X-Cache = "STALE";
  }
}
