# Sends one text to many and watches the job to its end.
#
#   WAPID_KEY=wapid_test_… ruby bulk.rb [--session main] TEXT NUMBER...

require 'digest'
require 'erb'
require 'json'
require 'net/http'

BASE = URI(ENV.fetch('WAPID_URL', 'http://127.0.0.1:8080'))
$stdout.sync = true

def call(request)
  request['X-API-Key'] = ENV['WAPID_KEY']
  response = Net::HTTP.start(BASE.host, BASE.port, use_ssl: BASE.scheme == 'https') { |http| http.request(request) }
  answer = JSON.parse(response.body)
  abort "#{answer['error']} (#{answer['code']})" unless response.is_a?(Net::HTTPSuccess)
  answer
rescue SystemCallError => e
  abort e.message
end

def start(session, message, recipients)
  path = "/api/whatsapp/session/#{ERB::Util.url_encode(session)}/send-bulk"
  request = Net::HTTP::Post.new(path, 'Content-Type' => 'application/json')
  request.body = JSON.generate(message: message, recipients: recipients)
  # The same campaign has the same key: started twice within a day, it is one job.
  request['Idempotency-Key'] = Digest::SHA256.hexdigest(path + request.body)
  call(request)['jobId']
end

def watch(job_id)
  shown = nil
  loop do
    job = call(Net::HTTP::Get.new("/api/whatsapp/bulk-job/#{job_id}"))
    line = "#{job['processed']}/#{job['total']} #{job['state']}"
    line += ": #{job['waiting']['message']}" if job['waiting']
    line += ", until #{job['waiting']['until']}" if job.dig('waiting', 'until')
    puts line unless line == shown
    shown = line
    return job if %w[completed failed].include?(job['status'])

    sleep 2
  end
end

session = ARGV.first == '--session' ? ARGV.shift(2).last : 'main'
message, *recipients = ARGV
if recipients.empty?
  warn 'usage: ruby bulk.rb [--session main] TEXT NUMBER...'
  exit 2
end
job_id = start(session, message, recipients)
puts "Job #{job_id}"
job = watch(job_id)
puts "#{job['succeeded']} sent, #{job['failed']} failed"
exit job['status'] == 'completed'
