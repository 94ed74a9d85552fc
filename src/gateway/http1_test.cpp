#include "gateway/http1.hpp"

#include <gtest/gtest.h>

#include <string>

namespace backstay::gateway::http1 {
namespace {

struct Scanned {
  Scan scan = Scan::kOk;
  RequestHead head;
  std::string why;
  std::string bytes;  ///< What the head's views point into.
};

Scanned scan(const std::string& bytes) {
  Scanned out;
  out.bytes = bytes;
  out.scan = scan_request(out.bytes, out.head, out.why);
  return out;
}

TEST(ScanRequest, ReadsAHead) {
  const std::string bytes =
      "POST /v2/models/m/infer?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-Id: \t7 \r\n\r\nhello";
  const Scanned got = scan(bytes);
  ASSERT_EQ(got.scan, Scan::kOk) << got.why;
  EXPECT_EQ(got.head.method, "POST");
  EXPECT_EQ(got.head.target, "/v2/models/m/infer?x=1");
  EXPECT_EQ(got.head.framing, Framing::kLength);
  EXPECT_EQ(got.head.content_length, 5U);
  EXPECT_EQ(got.head.find("x-id"), "7");
  EXPECT_EQ(got.bytes.substr(got.head.size), "hello");
  EXPECT_TRUE(got.head.keep_alive);
}

TEST(ScanRequest, AsksForMoreUntilTheHeadIsComplete) {
  const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(scan(bytes.substr(0, size)).scan, Scan::kMore) << size;
  }
}

// Every form by which two parsers could be made to see different messages.
class Smuggling : public ::testing::TestWithParam<const char*> {};

TEST_P(Smuggling, IsRefused) {
  const std::string bytes = std::string("POST / HTTP/1.1\r\nHost: a\r\n") + GetParam() + "\r\n\r\n";
  const Scanned got = scan(bytes);
  EXPECT_EQ(got.scan, Scan::kBad);
  EXPECT_FALSE(got.why.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Forms, Smuggling,
    ::testing::Values("Content-Length: 5\r\nTransfer-Encoding: chunked", "Content-Length: 5\r\nContent-Length: 5",
                      "Content-Length: 5, 5", "Content-Length: +5", "Content-Length: 0x5", "Content-Length: ",
                      "Content-Length: 99999999999999999999", "Content-Length : 5", "Transfer-Encoding: gzip, chunked",
                      "Transfer-Encoding: identity", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                      "X: a\r\n b", "X: a\nY: b", "X: a\rb", "X: a\x01", "X\x80: a", ": a", "X y: a", "X", "Host: b"));

TEST(ScanRequest, RefusesABadRequestLine) {
  for (const char* line : {"GET /", "GET  / HTTP/1.1", "GET / HTTP/2.0", "GET / http/1.1", " GET / HTTP/1.1",
                           "G@T / HTTP/1.1", "GET /a b HTTP/1.1", "GET /\x7f HTTP/1.1"}) {
    EXPECT_EQ(scan(std::string(line) + "\r\nHost: a\r\n\r\n").scan, Scan::kBad) << line;
  }
}

TEST(ScanRequest, LimitsTheHead) {
  EXPECT_EQ(scan("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(kMaxHeadBytes, 'x')).scan, Scan::kTooLarge);
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (std::size_t i = 0; i < kMaxFields; ++i) many += "X: y\r\n";
  EXPECT_EQ(scan(many + "\r\n").scan, Scan::kTooLarge);
}

TEST(ScanRequest, HttpOneZeroClosesUnlessAskedNotTo) {
  EXPECT_FALSE(scan("GET / HTTP/1.0\r\n\r\n").head.keep_alive);
  EXPECT_TRUE(scan("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").head.keep_alive);
  EXPECT_FALSE(scan("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n").head.keep_alive);
}

TEST(EndToEndFields, LeavesOutWhatIsForThisHopAndWhatOnlyTheGatewaySays) {
  const Scanned got = scan(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Mine, Content-Length\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: "
      "trailers\r\n"
      "Upgrade: h2c\r\nBackstay-Version: 9.9.9\r\nContent-Length: 3\r\nX-Yours: 2\r\n\r\n");
  std::string out;
  append_end_to_end_fields(got.head, out);
  EXPECT_EQ(out, "Host: a\r\nContent-Length: 3\r\nX-Yours: 2\r\n");
}

TEST(ScanResponse, KnowsHowTheBodyEnds) {
  ResponseHead head;
  EXPECT_EQ(scan_response("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false, head), Scan::kOk);
  EXPECT_EQ(head.framing, Framing::kLength);
  EXPECT_EQ(scan_response("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n", false, head), Scan::kOk);
  EXPECT_EQ(head.framing, Framing::kChunked);
  EXPECT_EQ(scan_response("HTTP/1.1 200 OK\r\n\r\n", false, head), Scan::kOk);
  EXPECT_EQ(head.framing, Framing::kUntilClose);
  EXPECT_EQ(scan_response("HTTP/1.1 204 None\r\nContent-Length: 3\r\n\r\n", false, head), Scan::kOk);
  EXPECT_EQ(head.framing, Framing::kNone);
  EXPECT_EQ(scan_response("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", true, head), Scan::kOk);
  EXPECT_EQ(head.framing, Framing::kNone);
  for (const char* bad :
       {"HTTP/1.1 99 x\r\n\r\n", "HTTP/1.1 2000\r\n\r\n", "HTTP/3.1 200 OK\r\n\r\n", "nonsense\r\n\r\n"})
    EXPECT_EQ(scan_response(bad, false, head), Scan::kBad) << bad;
}

TEST(BodyScanner, FindsTheEndOfAChunkedBodyHoweverItIsCut) {
  const std::string body = "5;a=b\r\nhello\r\n0A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
  const std::string bytes = body + "GET / HTTP/1.1";
  for (std::size_t cut = 0; cut <= body.size(); ++cut) {
    BodyScanner scanner(Framing::kChunked, 0);
    std::size_t taken = scanner.feed(std::string_view(bytes).substr(0, cut));
    EXPECT_EQ(taken, cut);
    taken += scanner.feed(std::string_view(bytes).substr(cut));
    EXPECT_EQ(taken, body.size()) << cut;
    EXPECT_TRUE(scanner.complete());
    EXPECT_FALSE(scanner.bad());
  }
  EXPECT_EQ(unchunked(body), "hello0123456789");
}

TEST(BodyScanner, RefusesMalformedChunks) {
  for (const char* body : {"g\r\n", "\r\n", "5\nhello", "5\r\nhelloX", "-1\r\n", "5 \r\nhello\r\n", "1;\x01\r\n",
                           "FFFFFFFFFFFFFFFFF\r\n"}) {
    BodyScanner scanner(Framing::kChunked, 0);
    scanner.feed(body);
    EXPECT_TRUE(scanner.bad()) << body;
  }
}

TEST(BodyScanner, AClosedConnectionEndsOnlyABodyThatEndsSo) {
  BodyScanner until_close(Framing::kUntilClose, 0);
  until_close.feed("abc");
  until_close.on_close();
  EXPECT_TRUE(until_close.complete());
  BodyScanner by_length(Framing::kLength, 5);
  by_length.feed("abc");
  by_length.on_close();
  EXPECT_FALSE(by_length.complete());
  EXPECT_TRUE(by_length.bad());
}

TEST(BodyScanner, GivesTheContentThatGoesBy) {
  const std::string chunked = "3\r\nchu\r\n4;x=y\r\nnked\r\n0\r\nT: v\r\n\r\nleft";
  for (std::size_t piece = 1; piece < chunked.size(); ++piece) {
    BodyScanner scanner(Framing::kChunked, 0);
    std::string content;
    for (std::size_t at = 0; at < chunked.size(); at += piece)
      scanner.feed(std::string_view(chunked).substr(at, piece), &content);
    EXPECT_TRUE(scanner.complete());
    EXPECT_EQ(content, "chunked");
  }
  std::string content;
  BodyScanner(Framing::kLength, 3).feed("abcdef", &content);
  BodyScanner(Framing::kUntilClose, 0).feed("ghi", &content);
  EXPECT_EQ(content, "abcghi");
}

}  // namespace
}  // namespace backstay::gateway::http1
