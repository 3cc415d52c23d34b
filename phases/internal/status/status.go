// Package status has the texts of nginx's statuses: the status line and the body of
// the page that it sends by itself (ngx_http_special_response.c).
package status

import "strconv"

// statusTexts are nginx's status lines (ngx_http_header_filter_module.c), by status.
// Statuses without a text there are sent as the bare number and a space.
var statusTexts = [...]string{
	101: "101 Switching Protocols",
	200: "200 OK", 201: "201 Created", 202: "202 Accepted", 204: "204 No Content", 206: "206 Partial Content",
	301: "301 Moved Permanently", 302: "302 Moved Temporarily", 303: "303 See Other", 304: "304 Not Modified",
	307: "307 Temporary Redirect", 308: "308 Permanent Redirect",
	400: "400 Bad Request", 401: "401 Unauthorized", 402: "402 Payment Required", 403: "403 Forbidden",
	404: "404 Not Found", 405: "405 Not Allowed", 406: "406 Not Acceptable", 408: "408 Request Time-out",
	409: "409 Conflict", 410: "410 Gone", 411: "411 Length Required", 412: "412 Precondition Failed",
	413: "413 Request Entity Too Large", 414: "414 Request-URI Too Large", 415: "415 Unsupported Media Type",
	416: "416 Requested Range Not Satisfiable", 421: "421 Misdirected Request", 429: "429 Too Many Requests",
	500: "500 Internal Server Error", 501: "501 Not Implemented", 502: "502 Bad Gateway",
	503: "503 Service Temporarily Unavailable", 504: "504 Gateway Time-out",
	505: "505 HTTP Version Not Supported", 507: "507 Insufficient Storage",
}

// AppendLine writes the status line's text for status.
func AppendLine(b []byte, status int) []byte {
	if status >= 0 && status < len(statusTexts) && statusTexts[status] != "" {
		return append(b, statusTexts[status]...)
	}
	if status < 100 {
		for n := status; n < 100 && len(strconv.Itoa(n)) < 3; n = 100 {
			b = append(b, "00"[:3-len(strconv.Itoa(n))]...)
		}
	}
	b = strconv.AppendInt(b, int64(status), 10)
	return append(b, ' ')
}

// pageTitles are the headings of nginx's built-in pages, where they differ
// from the status line or belong to statuses of nginx's own
// (ngx_http_special_response.c). A status without a page gets an empty body.
var pageTitles = map[int]string{
	301: "301 Moved Permanently", 302: "302 Found", 303: "303 See Other", 307: "307 Temporary Redirect", 308: "308 Permanent Redirect",
	400: "400 Bad Request", 401: "401 Authorization Required", 402: "402 Payment Required", 403: "403 Forbidden",
	404: "404 Not Found", 405: "405 Not Allowed", 406: "406 Not Acceptable", 408: "408 Request Time-out", 409: "409 Conflict",
	410: "410 Gone", 411: "411 Length Required", 412: "412 Precondition Failed", 413: "413 Request Entity Too Large",
	414: "414 Request-URI Too Large", 415: "415 Unsupported Media Type", 416: "416 Requested Range Not Satisfiable",
	421: "421 Misdirected Request", 429: "429 Too Many Requests",
	500: "500 Internal Server Error", 501: "501 Not Implemented", 502: "502 Bad Gateway", 503: "503 Service Temporarily Unavailable",
	504: "504 Gateway Time-out", 505: "505 HTTP Version Not Supported", 507: "507 Insufficient Storage",
}

// nginxPages are the pages of statuses that only nginx has; they are sent with
// status 400.
var nginxPages = map[int]string{
	494: "<html>\r\n<head><title>400 Request Header Or Cookie Too Large</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n<center>Request Header Or Cookie Too Large</center>\r\n",
	495: "<html>\r\n<head><title>400 The SSL certificate error</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n<center>The SSL certificate error</center>\r\n",
	496: "<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n<center>No required SSL certificate was sent</center>\r\n",
	497: "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n<center>The plain HTTP request was sent to HTTPS port</center>\r\n",
}

// msiePadding keeps old browsers from showing a page of their own.
const msiePadding = "<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n"

// Page is the body of nginx's own page for status, signed by server; padded
// adds what MSIE and Chrome need. It is nil for statuses that have none.
func Page(status int, server string, padded bool) []byte {
	page, ok := nginxPages[status]
	if !ok {
		title, ok := pageTitles[status]
		if !ok {
			return nil
		}
		page = "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title + "</h1></center>\r\n"
	}
	page += "<hr><center>" + server + "</center>\r\n</body>\r\n</html>\r\n"
	if padded && status >= 400 {
		for range 6 {
			page += msiePadding
		}
	}
	return []byte(page)
}
