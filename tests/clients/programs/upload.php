<?php // Posts a file with the curl functions of PHP. Usage: FILE URL
$request = curl_init($argv[2]);
curl_setopt($request, CURLOPT_RETURNTRANSFER, true);
curl_setopt($request, CURLOPT_POSTFIELDS, ["file" => new CURLFile($argv[1], "image/png"), "lang" => "rus+eng"]);
$answer = curl_exec($request);
echo curl_getinfo($request, CURLINFO_RESPONSE_CODE), " ", $answer, "\n";
