#include <fmt/chrono.h>
#include <fmt/format.h>

#include <charconv>
#include <ctime>
#include <span>

#include "api/answer.hpp"
#include "api/json.hpp"
#include "api/routes.hpp"
#include "base/base64.hpp"

/// Blobs, whole, by ranges and in parts.
namespace backstay::api {

using httplib::Request;
using httplib::Response;
using nlohmann::json;
using services::Uploads;
using Parts = Router::Parts;

namespace {

constexpr const char* kTusVersion = "1.0.0";
constexpr std::uint64_t kMaxBlobBytes = std::uint64_t{1} << 50;

std::optional<std::uint64_t> number_in(const Request& request, const char* header) {
  const std::string text = request.get_header_value(header);
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string http_date(Timestamp at) {
  return fmt::format(
      "{:%a, %d %b %Y %H:%M:%S} GMT",
      fmt::gmtime(static_cast<std::time_t>(std::chrono::duration_cast<seconds>(at.time_since_epoch()).count())));
}

Result<Digest> digest_from(const std::string& base64) {
  TRY(const std::string hex, from_base64(base64));
  return Digest::from_hex(hex);
}

/// "filename d29ybGQ=,sha256 YWJj...": pairs of a key and a value in Base64.
Result<Digest> digest_in(const std::string& metadata) {
  std::size_t begin = 0;
  while (begin < metadata.size()) {
    const std::size_t end = std::min(metadata.find(',', begin), metadata.size());
    const std::string pair = metadata.substr(begin, end - begin);
    const std::size_t space = pair.find(' ');
    if (pair.substr(0, space) == "sha256" && space != std::string::npos) return digest_from(pair.substr(space + 1));
    begin = end + 1;
    while (begin < metadata.size() && metadata[begin] == ' ') ++begin;
  }
  return Unexpected(ErrorCode::kInvalidArgument, "The upload does not say what its digest is.",
                    "Send Upload-Metadata: sha256 and the 64 hex digits in Base64.");
}

/// Every request but OPTIONS says which protocol it speaks.
bool speaks_tus(const Request& request, Response& response) {
  response.set_header("Tus-Resumable", kTusVersion);
  if (request.get_header_value("Tus-Resumable") == kTusVersion) return true;
  response.set_header("Tus-Version", kTusVersion);
  send_problem(response,
               {ErrorCode::kFailedPrecondition, "This protocol version is not spoken here.",
                "Send Tus-Resumable: 1.0.0 (https://tus.io)."},
               412);
  return false;
}

void describe(Response& response, const Uploads::Upload& upload) {
  response.set_header("Upload-Offset", std::to_string(upload.offset));
  response.set_header("Upload-Expires", http_date(upload.expires));
  response.set_header("Cache-Control", "no-store");
}

void create(Uploads& uploads, const Request& request, Response& response) {
  if (!speaks_tus(request, response)) return;
  const auto length = number_in(request, "Upload-Length");
  if (!length || *length > kMaxBlobBytes)
    return send(response, Error{ErrorCode::kInvalidArgument, "Upload-Length is missing or is no length.",
                                "Say how many bytes the blob has."});
  const auto sha256 = digest_in(request.get_header_value("Upload-Metadata"));
  if (!sha256) return send(response, sha256.error());
  const auto upload = uploads.create(*length, *sha256);
  if (!upload) return send(response, upload.error());
  response.status = 201;
  response.set_header("Location", "/v1/uploads/" + upload->id);
  describe(response, *upload);
}

void find(const Uploads& uploads, const Request& request, const Parts& parts, Response& response) {
  if (!speaks_tus(request, response)) return;
  const auto upload = uploads.find(parts[0]);
  if (!upload) return send(response, upload.error());
  response.status = 200;
  describe(response, *upload);
  response.set_header("Upload-Length", std::to_string(upload->length));
}

void append(Uploads& uploads, const Request& request, const Parts& parts, Response& response,
            const httplib::ContentReader& content) {
  // What isn't read would be taken for the next request.
  const auto refuse = [&](const Error& error, int status) {
    response.set_header("Connection", "close");
    send_problem(response, error, status);
  };
  if (!speaks_tus(request, response)) return response.set_header("Connection", "close");
  if (request.get_header_value("Content-Type") != "application/offset+octet-stream")
    return refuse({ErrorCode::kInvalidArgument, "The content type is not that of an upload's part.",
                   "Send Content-Type: application/offset+octet-stream."},
                  415);
  const auto offset = number_in(request, "Upload-Offset");
  if (!offset)
    return refuse({ErrorCode::kInvalidArgument, "Upload-Offset is missing or is no number.",
                   "Say where the bytes belong; HEAD tells where the upload is."},
                  400);
  const auto upload = uploads.append(parts[0], *offset, [&](const BlobSink& sink) {
    return content(
        [&](const char* data, std::size_t size) { return sink(std::as_bytes(std::span(data, size))).has_value(); });
  });
  if (!upload) return refuse(upload.error(), http_status(upload.error().code));
  response.status = 204;
  describe(response, *upload);
}

Result<json> put_blob(BlobStore& blobs, const Request& request, const std::string& hex,
                      const httplib::ContentReader& content) {
  TRY(const Digest expected, Digest::from_hex(hex));
  TRY(const std::unique_ptr<BlobWriter> writer, blobs.begin(request.get_header_value<std::uint64_t>("Content-Length")));
  Sha256 hash;
  Result<void> written;
  const bool complete = content([&](const char* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    hash.update(bytes);
    written = writer->write(bytes);
    return written.has_value();
  });
  TRY_DO(written);
  if (!complete) return Unexpected(ErrorCode::kInvalidArgument, "The upload ended early.", "Send it again.");
  const Digest seen = hash.finish();
  if (seen != expected)
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("The content has the digest {}, not {}.", seen.hex(), hex),
                      "Nothing was stored; send the bytes that belong to the digest.");
  TRY(const BlobInfo blob, writer->commit());
  return json{{"sha256", blob.sha256.hex()}, {"size_bytes", blob.size_bytes}};
}

void get_blob(const BlobStore& blobs, const Request& request, const Parts& parts, Response& response) {
  const auto sha256 = Digest::from_hex(parts[0]);
  if (!sha256) return send(response, sha256.error());
  const auto size = blobs.size(*sha256);
  if (!size) return send(response, size.error());
  response.set_header("Accept-Ranges", "bytes");
  const std::string tag = "\"sha256:" + sha256->hex() + "\"";
  response.set_header("ETag", tag);
  // RFC 9530: of the whole, whatever part is sent.
  response.set_header(
      "Repr-Digest",
      "sha-256=:" + to_base64({reinterpret_cast<const char*>(sha256->bytes.data()), sha256->bytes.size()}) + ":");
  response.set_header("Cache-Control", "private, max-age=31536000, immutable");
  if (names_tag(request.get_header_value("If-None-Match"), tag)) {
    response.status = 304;
    return;
  }
  if (*size == 0) return response.set_content("", "application/octet-stream");
  response.set_content_provider(
      *size, "application/octet-stream",
      [&blobs, sha256 = *sha256](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
        return blobs
            .read_range(sha256, offset, length,
                        [&](std::span<const std::byte> bytes) -> Result<void> {
                          if (sink.write(reinterpret_cast<const char*>(bytes.data()), bytes.size())) return {};
                          return Unexpected(ErrorCode::kUnavailable, "The client went away.");
                        })
            .has_value();
      });
}

}  // namespace

void add_blob_routes(Router& router, const ControlServer::Ports& ports) {
  BlobStore& blobs = ports.registry.blobs;
  Uploads& uploads = ports.uploads;
  router.get("/v1/blobs/{sha256}", {}, [&blobs](const Request& request, const Parts& parts, Response& response) {
    get_blob(blobs, request, parts, response);
  });
  router.put("/v1/blobs/{sha256}", [&blobs](const Request& request, const Parts& parts, Response& response,
                                            const httplib::ContentReader& content) {
    reply(response, put_blob(blobs, request, parts[0], content));
  });
  router.options("/v1/uploads", [](const Request&, Response& response) {
    response.status = 204;
    response.set_header("Tus-Resumable", kTusVersion);
    response.set_header("Tus-Version", kTusVersion);
    response.set_header("Tus-Extension", "creation,expiration,termination");
    response.set_header("Tus-Max-Size", std::to_string(kMaxBlobBytes));
  });
  router.post_headers("/v1/uploads",
                      [&uploads](const Request& request, Response& response) { create(uploads, request, response); });
  const std::string upload = "/v1/uploads/{upload}";
  router.get(upload, {}, [&uploads](const Request& request, const Parts& parts, Response& response) {
    find(uploads, request, parts, response);
  });
  router.patch(upload, [&uploads](const Request& request, const Parts& parts, Response& response,
                                  const httplib::ContentReader& content) {
    append(uploads, request, parts, response, content);
  });
  router.remove(upload, [&uploads](const Request& request, const Parts& parts, Response& response) {
    if (!speaks_tus(request, response)) return;
    const auto removed = uploads.remove(parts[0]);
    if (!removed) return send(response, removed.error());
    response.status = 204;
  });
}

}  // namespace backstay::api
