# Receives webhooks and refuses what wapid did not sign. Needs nothing but Ruby.
#
#   WAPID_WEBHOOK_SECRET=whsec_… PORT=4000 ruby receive.rb
#
# Three ways to verify, each at a path of its own here: take one. In Rails or Sinatra, the body is
# `request.raw_post` or `request.body.read`, and the headers are in `request.env['HTTP_WEBHOOK_ID']`.

require 'openssl'
require 'socket'

SECRET = ENV.fetch('WAPID_WEBHOOK_SECRET')
KEY = SECRET.start_with?('whsec_') ? SECRET[6..].unpack1('m') : SECRET.b
TOLERANCE_S = 300

def hex(message) = OpenSSL::HMAC.hexdigest('SHA256', KEY, message)

def same(one, other) = OpenSSL.secure_compare(one.b, other.b)

# Standard Webhooks: notices a replay, and holds two signatures while you change the secret.
def standard(headers, body)
  id, timestamp, signatures = headers.values_at('webhook-id', 'webhook-timestamp', 'webhook-signature')
  return false unless id && signatures && timestamp&.match?(/\A\d+\z/)
  return false if (Time.now.to_i - timestamp.to_i).abs > TOLERANCE_S

  mac = OpenSSL::HMAC.digest('SHA256', KEY, "#{id}.#{timestamp}.".b + body)
  expected = "v1,#{[mac].pack('m0')}"
  signatures.split(' ').any? { |signature| same(signature, expected) }
end

# The one-line way: a hash of the body as it came.
def raw_body(headers, body) = same(headers.fetch('x-webhook-signature', ''), "sha256=#{hex(body)}")

# The field `signature` is last and signs the body without it, so it is cut off, not parsed.
def in_body(_headers, body)
  return false if body.bytesize < 80

  same(body[-80..], %(,"signature":"#{hex("#{body[0...-80]}}")}"}))
end

WAYS = { '/' => :standard, '/raw-body' => :raw_body, '/in-body' => :in_body }.freeze

# A web server in a few lines, for the standard library has none.
server = TCPServer.new('127.0.0.1', Integer(ENV.fetch('PORT', '4000')))
loop do
  client = server.accept
  path = client.gets.to_s.b.split(' ')[1]
  headers = client.each_line("\r\n", chomp: true).take_while { |line| !line.empty? }
                  .to_h { |line| line.b.split(/:\s*/, 2).then { |name, value| [name.downcase, value.to_s] } }
  body = client.read(headers['content-length'].to_i).to_s.b
  genuine = WAYS.key?(path) && send(WAYS[path], headers, body)
  # If it is, `webhook-id` is the same when an event comes again; now `JSON.parse(body)`.
  status, answer = genuine ? ['200 OK', "ok #{headers['webhook-id']}\n"] : ['401 Unauthorized', "refused\n"]
  client.write("HTTP/1.1 #{status}\r\nContent-Length: #{answer.bytesize}\r\nConnection: close\r\n\r\n#{answer}")
rescue SystemCallError
  # The other side hung up.
ensure
  client&.close
end
